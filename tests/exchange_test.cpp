// All-to-alls against values worked by hand from the links, and against those that DeepEP publishes.
#include "model/cost/exchange.hpp"

#include "calibrate/fit.hpp"
#include "calibrate/kernel_table.hpp"
#include "model/cost/collective.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

const Node& node(const char* name) {
    return testing::library().nodes.at(name, "test");
}

double gigabytes(const char* name, int ranks) {
    return ExchangeTimes(node(name), ranks, Seconds(0)).bandwidth().value() / 1e9;
}

}  // namespace

TEST_CASE("exchange: one rank sends nothing") {
    CHECK(ExchangeTimes(node("h100-80gb-sxm-8"), 1, Seconds(1)).all_to_all(Bytes(1e9)) == Seconds(0));
}

TEST_CASE("exchange: bandwidths from the links") {
    CHECK(gigabytes("h100-80gb-sxm-8", 8) == Approx(18 * 20.6));  // a switch: all links of a GPU
    CHECK(gigabytes("h100-80gb-sxm-8", 2) == Approx(18 * 20.6));
    // Four A40 on bridges of four links of 12: a pair has them for itself.
    CHECK(gigabytes("a40-48gb-pcie-4", 2) == Approx(48));
    // All four: each sends two of three parts over PCIe 4 (24); a socket sends 2 x 2 parts over its link of 16, a
    // quarter of a part's seconds each: 4 / 16 is slower than 2 / 24. Three parts in that time.
    CHECK(gigabytes("a40-48gb-pcie-4", 4) == Approx(3.0 / (4.0 / 16)));
    // Eight A30 without copies between GPUs: half of the socket's 10, 16 parts each way, seven sent by each GPU.
    CHECK(gigabytes("a30-24gb-pcie-8", 8) == Approx(7.0 / (16.0 / 5)));
}

TEST_CASE("exchange: sixteen ranks on two nodes are as fast as their adapters") {
    // Eight adapters of 47 GB/s for eight GPUs; eight of the fifteen others are far.
    CHECK(gigabytes("h100-80gb-sxm-8", 16) == Approx(47.0 * 15 / 8));
    CHECK(gigabytes("h100-80gb-sxm-8", 16) < gigabytes("h100-80gb-sxm-8", 8));
}

TEST_CASE("exchange: more bytes and more ranks take longer") {
    for (const std::string& name : testing::library().nodes.names()) {
        const Node& machine = testing::library().nodes.at(name, "test");
        for (const int ranks : {2, 4, 8}) {
            if (ranks > machine.gpus) continue;
            INFO(name << " " << ranks);
            const ExchangeTimes times(machine, ranks, Seconds(1e-6));
            CHECK(times.bandwidth() > BytesPerSecond(5e8));
            CHECK(times.all_to_all(Bytes(0)) > Seconds(1e-6));
            CHECK(times.all_to_all(Bytes(2e6)) > times.all_to_all(Bytes(1e6)));
            // Each byte goes its own way: never faster than a ring that passes them on, unless bridges take a part.
            if (machine.nvlink == NvlinkKind::bridge) continue;
            CHECK(times.bandwidth() <= ring_bandwidth_from_links(machine, ranks) * 1.0001);
        }
    }
}

TEST_CASE("exchange: DeepEP's kernels between nodes") {
    // Dispatch and combine of 128 tokens to 8 experts each, 7168 values of 1 byte with a scale of 4 for 128, and of 2
    // bytes; H800 with one 400 Gbit/s adapter each (deepseek-ai/DeepEP docs/legacy.md, low-latency kernels).
    struct Row {
        int ranks;
        double dispatch, combine;  // us
    };
    const Row rows[] = {{16, 118, 195}, {32, 155, 273}, {64, 173, 314}, {128, 192, 369}, {256, 194, 360}};
    for (const Row& row : rows) {
        INFO(row.ranks);
        const ExchangeTimes times(node("h100-80gb-sxm-8"), row.ranks, Seconds(0));
        const double others = (row.ranks - 1.0) / row.ranks, copies = 128 * 8 * others;
        CHECK(times.all_to_all(Bytes(copies * 7168 * (1 + 4.0 / 128))).value() * 1e6 ==
              Approx(row.dispatch).epsilon(0.25));
        CHECK(times.all_to_all(Bytes(copies * 7168 * 2)).value() * 1e6 == Approx(row.combine).epsilon(0.2));
    }
}

TEST_CASE("exchange: DeepEP's kernels in a node") {
    // Eight B200: 726 and 740 GB/s, the rank's own eighth counted (deepseek-ai/DeepEP README, V2).
    CHECK(gigabytes("b200-180gb-sxm-8", 8) == Approx(726.0 * 7 / 8).epsilon(0.15));
    CHECK(gigabytes("b200-180gb-sxm-8", 8) == Approx(740.0 * 7 / 8).epsilon(0.15));
}

namespace {

/// Fitted to exact times of an all-to-all whose ranks send their buffer less their own part at 200 GB/s, and start in
/// 5 us a rank.
KernelModel fitted_exchange() {
    std::string text = "gpu,topology,library,collective,ranks,bytes,dtype,seconds\n";
    for (const int ranks : {2, 4, 8})
        for (double bytes = 4096; bytes <= 268435456; bytes *= 4)
            text += "h100-80gb-sxm,nvswitch,nccl-1,all_to_all," + std::to_string(ranks) + "," + std::to_string(bytes) +
                    ",fp16," + std::to_string(5.0 * ranks + bytes * (ranks - 1) / ranks / 200e3) + "e-6\n";
    const KernelTable table = read_kernel_table(Csv::from_text(text, "exchanges.csv"), testing::library());
    REQUIRE(table.rows.size() == 27);
    CHECK(table.rows.front().group.kernel == "all_to_all");
    const Gpu& gpu = testing::library().gpus.at("h100-80gb-sxm", "test");
    return fit_group(table.rows, peaks_of(gpu, Dtype::fp16), {}).models.front();
}

}  // namespace

TEST_CASE("exchange: fitted tables stand for the rank counts that they cover on nodes joined alike") {
    const KernelModel model = fitted_exchange();
    MeasuredKernel measured;
    measured.models = {&model};
    measured.gpu = &testing::library().gpus.at("h100-80gb-sxm", "test");
    measured.kinship = Kinship::same_gpu;
    const Node& host = node("h100-80gb-sxm-8");
    const ExchangeTimes eight(host, 8, Seconds(1e-6), &measured), sixteen(host, 16, Seconds(1e-6), &measured);
    // 1 us of overhead, 40 us to start eight ranks, 7 MB at 200 GB/s: 35 us.
    CHECK(eight.all_to_all(Bytes(7e6)).value() == Approx(76e-6).epsilon(0.03));
    CHECK(eight.bandwidth().value() == Approx(200e9).epsilon(0.05));
    CHECK(eight.origin() == model.origin);
    CHECK(exchange_basis(host, 8, &measured) == &measured);
    CHECK(exchange_basis(host, 16, &measured) == nullptr);
    CHECK(sixteen.bandwidth() == ExchangeTimes(host, 16, Seconds(1e-6)).bandwidth());
    measured.kinship = Kinship::same_class;
    CHECK(ExchangeTimes(host, 8, Seconds(0), &measured).origin() == Origin::estimated);
}

TEST_CASE("exchange: tables of other collectives are refused with those that are known") {
    const auto read = [](const char* name) {
        std::string text = "gpu,topology,library,collective,ranks,bytes,dtype,seconds\nh100-80gb-sxm,nvswitch,nccl-1,";
        text.append(name).append(",8,8192,fp16,2e-5\n");
        return read_kernel_table(Csv::from_text(text, "table.csv"), testing::library()).rows.at(0);
    };
    CHECK(read("all_reduce").op.work.message == Bytes(8192));
    CHECK(read("all_to_all").op.work.message == Bytes(7168));  // an eighth stays
    CHECK_THROWS_WITH(read("all_gather"), ContainsSubstring("all_to_all"));
}
