// Collectives against values worked by hand from the links.
#include "model/cost/collective.hpp"

#include <cmath>

#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

const Node& node(const char* name) {
    return testing::library().nodes.at(name, "test");
}

Node without_tables(const char* name) {
    Node copy = node(name);
    copy.collectives.clear();
    return copy;
}

}  // namespace

TEST_CASE("a ring all-reduce worked by hand") {
    // A node with 10 us and 100 GB/s for four ranks: 40 MB cross 60 MB a link, 600 us, and 5 us of overhead.
    Node machine = without_tables("a100-80gb-sxm-8");
    machine.collectives.push_back({.operation = "all_reduce",
                                   .ranks = 4,
                                   .library = "none",
                                   .origin = Origin::datasheet,
                                   .times = {},
                                   .latency = Seconds(10e-6),
                                   .bus_bandwidth = BytesPerSecond(100e9)});
    const CollectiveTimes times(machine, 4, Seconds(5e-6));
    CHECK(times.all_reduce(Bytes(40e6)).value() == Approx(615e-6));
    CHECK(times.all_reduce(Bytes(0)).value() == Approx(15e-6));
    CHECK(times.all_gather(Bytes(10e6)).value() == Approx(315e-6));  // three tenfold megabytes pass each link
    CHECK(times.send_recv(Bytes(10e6)).value() == Approx(115e-6));
    CHECK(times.origin() == Origin::datasheet);
}

TEST_CASE("an engine's own all-reduce is taken where it is the shorter, up to its largest message") {
    Node machine = without_tables("a40-48gb-pcie-8");
    const auto curve = [](std::vector<std::pair<Bytes, Seconds>> times) {
        return CollectiveCurve{.operation = "all_reduce",
                               .ranks = 4,
                               .library = "none",
                               .origin = Origin::datasheet,
                               .times = std::move(times),
                               .latency = {},
                               .bus_bandwidth = {}};
    };
    machine.collectives = {curve({{Bytes(1e3), Seconds(16e-6)}, {Bytes(1e6), Seconds(24e-6)}})};
    machine.peer_collectives = {curve({{Bytes(1e3), Seconds(5e-6)}, {Bytes(1e5), Seconds(40e-6)}})};
    machine.peer_collectives.front().origin = Origin::estimated;
    const CollectiveTimes by_library(machine, 4, Seconds(1e-6)), own(machine, 4, Seconds(1e-6), nullptr, true);
    CHECK(by_library.all_reduce(Bytes(1e3)).value() == Approx(17e-6));
    CHECK(own.all_reduce(Bytes(1e3)).value() == Approx(6e-6));
    // At 1e5 bytes the library is at two thirds of its way from 16 to 24 us in logarithms: 16 x 1.5^(2/3) = 20.97 us.
    CHECK(own.all_reduce(Bytes(1e5)).value() == Approx(21.97e-6).epsilon(1e-3));
    CHECK(own.all_reduce(Bytes(2e5)) == by_library.all_reduce(Bytes(2e5)));
    CHECK(own.all_gather(Bytes(1e3)) == by_library.all_gather(Bytes(1e3)));
    CHECK(by_library.origin() == Origin::datasheet);
    CHECK(own.origin() == Origin::estimated);
    // Two ranks have no such table.
    CHECK(CollectiveTimes(machine, 2, Seconds(0), nullptr, true).all_reduce(Bytes(1e3)) ==
          CollectiveTimes(machine, 2, Seconds(0)).all_reduce(Bytes(1e3)));
}

TEST_CASE("one rank sends nothing") {
    const CollectiveTimes times(node("a30-24gb-pcie-8"), 1, Seconds(25e-6));
    CHECK(times.all_reduce(Bytes(1e6)).value() == 0);
    CHECK(times.all_gather(Bytes(1e6)).value() == 0);
    CHECK(times.send_recv(Bytes(1e6)).value() == 0);
}

TEST_CASE("measured tables are exact at their points and go on at their bandwidth") {
    int tables = 0;
    for (const std::string& name : testing::library().nodes.names())
        for (const CollectiveCurve& curve : node(name.c_str()).collectives) {
            if (curve.times.empty()) continue;
            ++tables;
            INFO(name << " " << curve.ranks);
            const CollectiveTimes times(node(name.c_str()), curve.ranks, Seconds(0));
            for (const auto& [size, time] : curve.times)
                CHECK(times.all_reduce(size).value() == Approx(time.value()).epsilon(1e-12));
            // Twice the last size: the same bandwidth, so twice the time.
            const auto& [size, time] = curve.times.back();
            CHECK(times.all_reduce(size * 2.0).value() == Approx(2 * time.value()).epsilon(1e-12));
            CHECK(times.all_reduce(Bytes(1)) == curve.times.front().second);
            // Between two sizes both axes are logarithmic: the geometric mean of sizes has that of times.
            const auto& [left, left_time] = curve.times[0];
            const auto& [right, right_time] = curve.times[1];
            const Bytes middle(std::sqrt(left.value() * right.value()));
            CHECK(times.all_reduce(middle).value() ==
                  Approx(std::sqrt(left_time.value() * right_time.value())).epsilon(1e-12));
        }
    CHECK(tables >= 10);
}

TEST_CASE("more bytes take longer") {
    for (const std::string& name : testing::library().nodes.names())
        for (const int ranks : {2, 4, 8}) {
            if (ranks > node(name.c_str()).gpus) continue;
            INFO(name << " " << ranks);
            const CollectiveTimes times(node(name.c_str()), ranks, Seconds(0));
            CHECK(times.bus_bandwidth() > BytesPerSecond(1e9));
            Seconds before(0);
            for (double size = 64; size < 1e10; size *= 1.5) {
                const Seconds now = times.all_reduce(Bytes(size));
                CHECK(now >= before * 0.93);  // measured points waver by a microsecond
                CHECK(times.all_gather(Bytes(size)) >= times.send_recv(Bytes(size)));
                before = now;
            }
            CHECK(before > Seconds(10e-3));
        }
}

TEST_CASE("ring bandwidth from the links of every shipped machine") {
    struct Expected {
        const char* node;
        int ranks;
        double gigabytes;
    };
    // GB/s a direction. Effective rates: PCIe 3 / 4 / 5 12 / 24 / 48; NVLink 2 and 3 20, GA102 12, NVLink 4 20.6;
    // sockets: Skylake 10, EPYC 16, Sapphire Rapids 22.
    const Expected table[] = {
        {"a100-40gb-sxm-8", 2, 240},
        {"a100-40gb-sxm-8", 8, 240},  // 12 links into the switch
        {"a100-80gb-sxm-8", 4, 240},
        {"h100-80gb-sxm-8", 8, 370.8},  // 18 x 20.6
        {"h200-141gb-sxm-8", 2, 370.8},
        {"a100-80gb-pcie-4", 2, 240},  // the bridged pair, 12 links
        {"a100-80gb-pcie-4", 4, 16},   // across the sockets
        {"a100-80gb-pcie-8", 2, 240},
        {"a100-80gb-pcie-8", 4, 24},  // one socket's PCIe
        {"a100-80gb-pcie-8", 8, 16},
        {"a40-48gb-pcie-4", 2, 48},  // four links of a bridge
        {"a40-48gb-pcie-4", 4, 16},
        {"a40-48gb-pcie-8", 2, 48},
        {"a40-48gb-pcie-8", 4, 24},
        {"a40-48gb-pcie-8", 8, 16},
        {"a30-24gb-pcie-8", 2, 12},  // through host memory: half of 24
        {"a30-24gb-pcie-8", 4, 12},
        {"a30-24gb-pcie-8", 8, 5},  // half of the socket's 10
        {"v100-32gb-pcie-8", 2, 6},
        {"v100-32gb-pcie-8", 4, 6},
        {"v100-32gb-pcie-8", 8, 5},
        {"t4-16gb-pcie-8", 2, 12},
        {"t4-16gb-pcie-8", 4, 12},
        {"t4-16gb-pcie-8", 8, 10},
        {"l40s-48gb-pcie-8", 2, 24},
        {"l40s-48gb-pcie-8", 4, 24},
        {"l40s-48gb-pcie-8", 8, 16},
        // The mesh: a doubled link joins two; in a quad the GPUs have 4, 4, 5 and 5 links to each other, and two
        // cycles 0-3-2-1 and 0-2-1-3 use four of each, both ways; all six links of a GPU stay inside the eight.
        {"v100-32gb-sxm2-8", 2, 40},
        {"v100-32gb-sxm2-8", 4, 80},
        {"v100-32gb-sxm2-8", 8, 120}};
    for (const Expected& row : table) {
        INFO(row.node << " " << row.ranks);
        CHECK(ring_bandwidth_from_links(node(row.node), row.ranks).value() == Approx(row.gigabytes * 1e9));
    }
}

TEST_CASE("pairs of NVLinks that do not touch are no ring") {
    // 0-1 and 2-3 are joined, nothing between: four GPUs go over PCIe.
    Node machine = without_tables("a100-80gb-pcie-4");
    machine.nvlink = NvlinkKind::mesh;
    CHECK(ring_bandwidth_from_links(machine, 2).value() == Approx(240e9));
    CHECK(ring_bandwidth_from_links(machine, 4).value() == Approx(16e9));
}

TEST_CASE("latency from the links") {
    // 6.6 us and 2 (p - 1) hops of 0.6 us by NVLink, 1.0 us by PCIe.
    CHECK(ring_latency_from_links(node("a100-80gb-sxm-8"), 8).value() == Approx(15e-6));
    CHECK(ring_latency_from_links(node("a40-48gb-pcie-8"), 2).value() == Approx(7.8e-6));  // bridge
    CHECK(ring_latency_from_links(node("a40-48gb-pcie-8"), 4).value() == Approx(12.6e-6));
    CHECK(ring_latency_from_links(node("a30-24gb-pcie-8"), 8).value() == Approx(20.6e-6));
    CHECK(ring_latency_from_links(node("v100-32gb-sxm2-8"), 4).value() == Approx(10.2e-6));
}

TEST_CASE("a machine without measurements falls back on its links, marked estimated") {
    const Node machine = without_tables("a40-48gb-pcie-8");
    const CollectiveTimes times(machine, 4, Seconds(0));
    CHECK(times.origin() == Origin::estimated);
    CHECK(times.all_reduce(Bytes(16e6)).value() == Approx(12.6e-6 + 24e6 / 24e9));
}

TEST_CASE("measured and estimated bandwidths agree where copies go straight between GPUs") {
    // Anything else is a mistake in the data or in the topology. Known exceptions: one L40S host, whose four and eight
    // GPUs are far slower than its links; A40 with bridges, where rings use bridges and PCIe at once.
    for (const std::string& name : testing::library().nodes.names())
        for (const CollectiveCurve& curve : node(name.c_str()).collectives) {
            if (!node(name.c_str()).peer_to_peer || name == "l40s-48gb-pcie-8-slow-sockets") continue;
            const double ratio = CollectiveTimes(node(name.c_str()), curve.ranks, Seconds(0)).bus_bandwidth() /
                                 ring_bandwidth_from_links(node(name.c_str()), curve.ranks);
            INFO(name << " " << curve.ranks << " ratio " << ratio);
            CHECK(ratio > 0.55);
            CHECK(ratio < (name.rfind("a40", 0) == 0 ? 3.5 : 1.5));
        }
}
