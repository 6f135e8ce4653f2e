#include "model/spec/node.hpp"

#include <algorithm>
#include <set>

#include "model/base/fields.hpp"
#include "model/spec/sources.hpp"

namespace plimsoll {
namespace {

/// Disjoint groups of GPU indices below `gpus`.
std::vector<std::vector<int>> read_groups(const Fields& fields, std::string_view key, int gpus) {
    std::vector<std::vector<int>> groups;
    std::set<int> seen;
    for (const auto& list : fields.integer_lists(key, {0, static_cast<double>(gpus - 1)})) {
        std::vector<int>& group = groups.emplace_back();
        for (const std::int64_t gpu : list) {
            group.push_back(static_cast<int>(gpu));
            if (!seen.insert(group.back()).second) fields.fail(key, "GPU " + std::to_string(gpu) + " stands twice");
        }
    }
    return groups;
}

void read_nvlink(const Fields& fields, Node& node) {
    const Fields nvlink = fields.object("nvlink");
    node.nvlink = static_cast<NvlinkKind>(nvlink.choice("kind", {"none", "bridge", "mesh", "switch"}));
    if (node.nvlink != NvlinkKind::none) node.nvlink_link_name = nvlink.string("link");
    if (node.nvlink == NvlinkKind::nvswitch)
        node.nvlink_links_per_gpu = static_cast<int>(nvlink.integer("links_per_gpu", {1, 100}));
    if (node.nvlink == NvlinkKind::bridge || node.nvlink == NvlinkKind::mesh) {
        for (const Fields& pair : nvlink.objects("pairs")) {
            const auto ends = pair.integers("gpus", {0, static_cast<double>(node.gpus - 1)});
            if (ends.size() != 2 || ends[0] == ends[1]) pair.fail("gpus", "expected two different GPUs");
            node.nvlink_pairs.push_back({static_cast<int>(ends[0]), static_cast<int>(ends[1]),
                                         static_cast<int>(pair.integer("links", {1, 100}))});
            pair.finish();
        }
    }
    nvlink.finish();
}

CollectiveCurve read_collective(const Fields& fields, const Sources& sources, const std::string& path, int gpus) {
    CollectiveCurve curve;
    const std::vector<std::string> operations{"all_reduce"};
    curve.operation = operations[fields.choice("operation", operations)];
    curve.ranks = static_cast<int>(fields.integer("ranks", {2, static_cast<double>(gpus)}));
    curve.library = fields.string("library");
    if (fields.has("times")) {
        curve.origin = curve.bandwidth_origin = sources.origin(path);
        const Fields times = fields.object("times");
        for (const std::string& size : times.keys())
            curve.times.emplace_back(parse_quantity<Bytes>(size, times.place(size)),
                                     times.quantity<Seconds>(size, {1e-7, 100}));
        std::sort(curve.times.begin(), curve.times.end());
        if (curve.times.size() < 2) fields.fail("times", "expected at least two sizes");
        if (curve.times.front().first <= Bytes(0)) fields.fail("times", "a message has at least a byte");
        times.finish();
    } else {
        curve.bandwidth_origin = sources.origin(path + ".bus_bandwidth");
        curve.origin = weakest(sources.origin(path + ".latency"), curve.bandwidth_origin);
        curve.latency = fields.quantity<Seconds>("latency", {0, 1});
        curve.bus_bandwidth = fields.quantity<BytesPerSecond>("bus_bandwidth", {1e6, 1e13});
    }
    fields.finish();
    return curve;
}

std::vector<CollectiveCurve> read_collectives(const Fields& fields, const std::string& key, const Sources& sources,
                                              int gpus) {
    std::vector<CollectiveCurve> curves;
    if (!fields.has(key)) return curves;
    std::set<int> seen;
    for (const Fields& curve : fields.objects(key)) {
        curves.push_back(read_collective(curve, sources, key + "." + std::to_string(curves.size()), gpus));
        if (!seen.insert(curves.back().ranks).second) curve.fail("ranks", "stands twice");
    }
    return curves;
}

void read_host(const Fields& fields, const Sources& sources, Node& node) {
    const Fields host = fields.object("host");
    if (host.has("price")) node.host_price = sourced_quantity<Dollars>(host, "price", sources, "host.price", {0, 1e7});
    node.host_power = sourced_quantity<Watts>(host, "power", sources, "host.power", {0, 1e5});
    node.host_speed = sourced_number(host, "speed", {0.05, 20}, sources, "host.speed");
    host.finish();
}

}  // namespace

Link read_link(const Fields& fields) {
    Link link;
    const Sources sources(fields);
    EntryHead head = read_head(fields, "link");
    link.name = std::move(head.name);
    link.aliases = std::move(head.aliases);
    link.raw = fields.quantity<BytesPerSecond>("raw", {1e6, 1e13});
    link.effective = sourced_quantity<BytesPerSecond>(fields, "effective", sources, "effective", {1e6, 1e13});
    if (link.effective.value > link.raw) fields.fail("effective", "more than the raw rate");
    link.latency = sourced_quantity<Seconds>(fields, "latency", sources, "latency", {0, 1});
    fields.finish();
    return link;
}

Node read_node(const Fields& fields) {
    Node node;
    const Sources sources(fields);
    EntryHead head = read_head(fields, "node");
    node.name = std::move(head.name);
    node.aliases = std::move(head.aliases);
    node.gpu = fields.string("gpu");
    node.gpus = static_cast<int>(fields.integer("gpus", {1, 1024}));
    node.cpu = fields.string("cpu");
    node.sockets = read_groups(fields, "sockets", node.gpus);
    node.socket_link_name = fields.string_or("socket_link", "");
    std::size_t in_sockets = 0;
    for (const auto& socket : node.sockets) in_sockets += socket.size();
    if (in_sockets != static_cast<std::size_t>(node.gpus)) fields.fail("sockets", "every GPU belongs to one socket");
    if (node.sockets.size() > 1 && node.socket_link_name.empty())
        fields.fail("", "several sockets need a 'socket_link'");
    const bool alone = node.gpus == 1 && !fields.has("pcie");
    const Fields pcie = alone ? fields.object_or_empty("pcie") : fields.object("pcie");
    if (!alone) node.pcie_link_name = pcie.string("link");
    if (pcie.has("switches")) node.pcie_switches = read_groups(pcie, "switches", node.gpus);
    node.peer_to_peer = pcie.boolean_or("peer_to_peer", true);
    pcie.finish();
    read_nvlink(fields, node);
    if (fields.has("nics")) {
        const Fields nics = fields.object("nics");
        node.nic_link_name = nics.string("link");
        node.nics = static_cast<int>(nics.integer("count", {1, 1024}));
        nics.finish();
    }
    if (node.nvlink != NvlinkKind::nvswitch && node.gpus > most_gpus_without_switch)
        fields.fail("gpus", "more than " + std::to_string(most_gpus_without_switch) + " GPUs need an NVLink switch");
    read_host(fields, sources, node);
    node.collectives = read_collectives(fields, "collectives", sources, node.gpus);
    node.peer_collectives = read_collectives(fields, "peer_collectives", sources, node.gpus);
    fields.finish();
    return node;
}

bool joined_as(const Node& node, std::string_view topology) {
    switch (node.nvlink) {
        case NvlinkKind::nvswitch:
            return topology == "nvswitch" || topology == "dgx";
        case NvlinkKind::mesh:
            return topology == "nvlink_mesh" + std::to_string(node.gpus);
        case NvlinkKind::bridge:
            return topology == "pairwise_nvlink" || topology == "nvlink_bridge";
        case NvlinkKind::none:
            break;
    }
    // "pcie-3-x16" is the link of "pcie3".
    std::string link = node.pcie_link_name;
    std::erase(link, '-');
    return topology.starts_with("pcie") && topology.size() > 4 && link.starts_with(topology);
}

}  // namespace plimsoll
