#include "model/cost/collective.hpp"

#include <algorithm>
#include <limits>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// Base latency of a ring of small messages (ring_latency_from_links).
constexpr Seconds launch_of_ring(6.6e-6);

/// Calls `visit` with every set of `ranks` out of `gpus` GPUs, as a mask of their indices.
template <class Visit>
void for_each_subset(int gpus, int ranks, Visit visit) {
    PLIMSOLL_ASSERT(gpus <= most_gpus_without_switch);
    for (unsigned mask = 0; mask < (1U << gpus); ++mask)
        if (__builtin_popcount(mask) == ranks) visit(mask);
}

bool contains(unsigned mask, int gpu) {
    return (mask >> gpu & 1U) != 0;
}

int groups_touched(const std::vector<std::vector<int>>& groups, unsigned mask) {
    return static_cast<int>(std::count_if(groups.begin(), groups.end(), [&](const std::vector<int>& group) {
        return std::any_of(group.begin(), group.end(), [&](int gpu) { return contains(mask, gpu); });
    }));
}

/// Whether NVLinks inside the set lead from each of its GPUs to every other.
bool joined_by_nvlink(const Node& node, unsigned mask) {
    unsigned reached = mask & (~mask + 1);  // the lowest GPU
    for (unsigned before = 0; before != reached;) {
        before = reached;
        for (const Node::Pair& pair : node.nvlink_pairs) {
            const unsigned ends = 1U << pair.first | 1U << pair.second;
            if ((ends & mask) == ends && (ends & reached) != 0) reached |= ends;
        }
    }
    return reached == mask;
}

/// NVLinks that every GPU of the set has inside the set, the fewest; 0 when they do not join the set.
int fewest_inner_links(const Node& node, unsigned mask) {
    if (!joined_by_nvlink(node, mask)) return 0;
    int fewest = std::numeric_limits<int>::max();
    for (int gpu = 0; gpu < node.gpus; ++gpu) {
        if (!contains(mask, gpu)) continue;
        int links = 0;
        for (const Node::Pair& pair : node.nvlink_pairs)
            if (contains(mask, pair.first) && contains(mask, pair.second) && (pair.first == gpu || pair.second == gpu))
                links += pair.links;
        fewest = std::min(fewest, links);
    }
    return fewest;
}

/// A ring over PCIe is as fast as its slowest hop: the slot, or the socket link when it leaves a socket. Without
/// peer-to-peer copies every byte goes through host memory, in and out of the same root: half.
BytesPerSecond pcie_ring(const Node& node, unsigned mask) {
    BytesPerSecond slowest = node.pcie.effective.value;
    if (groups_touched(node.sockets, mask) > 1) slowest = std::min(slowest, node.socket_link.effective.value);
    return node.peer_to_peer ? slowest : slowest / 2.0;
}

bool all_on_nvlink(const Node& node, int ranks) {
    if (node.nvlink == NvlinkKind::nvswitch) return true;
    return (node.nvlink == NvlinkKind::mesh || node.nvlink == NvlinkKind::bridge) &&
           ring_bandwidth_from_links(node, ranks) > node.pcie.effective.value;
}

}  // namespace

Bytes ring_all_reduce_bytes(Bytes size, int ranks) {
    return size * (2.0 * (ranks - 1) / ranks);
}

BytesPerSecond ring_bandwidth_from_links(const Node& node, int ranks) {
    if (node.nvlink == NvlinkKind::nvswitch) return node.nvlink_link.effective.value * node.nvlink_links_per_gpu;
    BytesPerSecond best;
    for_each_subset(node.gpus, ranks, [&](unsigned mask) {
        best = std::max(best, pcie_ring(node, mask));
        // Bridges join pairs only; in a mesh several rings share the links, so that all links of a GPU carry traffic.
        if (node.nvlink == NvlinkKind::mesh || (node.nvlink == NvlinkKind::bridge && ranks == 2))
            best = std::max(best, node.nvlink_link.effective.value * fewest_inner_links(node, mask));
    });
    return best;
}

Seconds ring_latency_from_links(const Node& node, int ranks) {
    const double hop = all_on_nvlink(node, ranks) ? 0.6e-6 : 1.0e-6;
    return launch_of_ring + Seconds(2.0 * (ranks - 1) * hop);
}

CollectiveBasis collective_basis(const Node& node, int ranks, const MeasuredKernel* measured) {
    CollectiveBasis basis;
    for (const CollectiveCurve& curve : node.collectives)
        if (curve.ranks == ranks) basis = {.curve = &curve, .measured = nullptr, .origin = curve.origin};
    if (!covers(measured, ranks)) return basis;
    const Origin origin = measured->kinship == Kinship::same_gpu ? measured->models.front()->origin : Origin::estimated;
    const bool here = origin == Origin::measured_here;
    if (basis.curve && weakest(basis.curve->bandwidth_origin, Origin::fitted) == Origin::fitted && !here) return basis;
    return {.curve = nullptr, .measured = measured, .origin = origin};
}

CollectiveTimes::CollectiveTimes(const Node& node, int ranks, Seconds overhead, const MeasuredKernel* measured,
                                 bool peers)
    : ranks_(ranks), overhead_(overhead) {
    PLIMSOLL_ASSERT(ranks >= 1 && ranks <= node.gpus);
    if (ranks == 1) return;
    set_by_library(node, measured);
    if (!peers) return;
    for (const CollectiveCurve& curve : node.peer_collectives) {
        if (curve.ranks != ranks) continue;
        peer_times_ = MessageTable(curve.times);
        origin_ = weakest(origin_, curve.origin);
    }
}

void CollectiveTimes::set_by_library(const Node& node, const MeasuredKernel* measured) {
    const int ranks = ranks_;
    const CollectiveBasis basis = collective_basis(node, ranks, measured);
    origin_ = basis.origin;
    if (basis.measured) {
        times_ = MessageTable(*basis.measured, OperatorKind::all_reduce, ranks);
    } else if (basis.curve) {
        times_ = MessageTable(basis.curve->times);
        latency_ = basis.curve->latency;
        bus_bandwidth_ = basis.curve->bus_bandwidth;
    } else {
        latency_ = ring_latency_from_links(node, ranks);
        bus_bandwidth_ = ring_bandwidth_from_links(node, ranks);
    }
    if (times_.empty()) return;
    latency_ = times_.smallest().second;
    bus_bandwidth_ = ring_all_reduce_bytes(times_.largest().first, ranks) / times_.largest().second;
}

CollectiveTimes CollectiveTimes::across_hosts(const Node& node, int senders, const CollectiveTimes& inside) {
    PLIMSOLL_ASSERT(node.nics > 0);
    // What NCCL takes for a hop of the protocol Simple through the network, as it sends between hosts
    // (src/graph/tuning.cc at 5067397).
    constexpr Seconds network_hop(14.0e-6);
    CollectiveTimes times = inside;
    const BytesPerSecond adapter = node.nic.effective.value * std::min(1.0, static_cast<double>(node.nics) / senders);
    const bool alone = inside.ranks_ == 1;  // a host with one GPU has no way inside
    times.ranks_ = 2;
    times.times_ = {};
    times.latency_ = (alone ? launch_of_ring : inside.latency_) + network_hop + node.nic.latency.value;
    times.bus_bandwidth_ = alone ? adapter : std::min(adapter, inside.bus_bandwidth_);
    times.origin_ = weakest(alone ? Origin::estimated : inside.origin_,
                            weakest(node.nic.effective.origin, node.nic.latency.origin));
    return times;
}

Seconds CollectiveTimes::all_reduce(Bytes size) const {
    if (ranks_ == 1) return Seconds(0);
    const Seconds by_library =
        times_.empty() ? latency_ + ring_all_reduce_bytes(size, ranks_) / bus_bandwidth_ : times_.at(size);
    return overhead_ + (peer_times_.empty() ? by_library : std::min(by_library, peer_times_.at(size)));
}

Seconds CollectiveTimes::all_gather(Bytes size) const {
    if (ranks_ == 1) return Seconds(0);
    return overhead_ + latency_ + size * (ranks_ - 1.0) / bus_bandwidth_;
}

Seconds CollectiveTimes::send_recv(Bytes size) const {
    if (ranks_ == 1) return Seconds(0);
    return overhead_ + latency_ + size / bus_bandwidth_;
}

}  // namespace plimsoll
