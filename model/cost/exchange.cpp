#include "model/cost/exchange.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "model/base/error.hpp"
#include "model/cost/collective.hpp"

namespace plimsoll {
namespace {

using Mask = unsigned;

bool contains(Mask mask, int gpu) {
    return (mask >> gpu & 1U) != 0;
}

/// NVLinks between each two GPUs, [gpus * gpus].
std::vector<int> links_of_pairs(const Node& node) {
    std::vector<int> links(static_cast<std::size_t>(node.gpus * node.gpus));
    for (const Node::Pair& pair : node.nvlink_pairs) {
        links[static_cast<std::size_t>(pair.first * node.gpus + pair.second)] += pair.links;
        links[static_cast<std::size_t>(pair.second * node.gpus + pair.first)] += pair.links;
    }
    return links;
}

/// Seconds until each GPU of the set has sent one byte to each other: pairs without an NVLink share PCIe.
double time_of_a_byte(const Node& node, const std::vector<int>& links, Mask mask) {
    const double pcie = node.pcie.effective.value.value() * (node.peer_to_peer ? 1.0 : 0.5);
    const auto joined = [&](int a, int b) { return links[static_cast<std::size_t>(a * node.gpus + b)]; };
    /// Bytes that leave a group of GPUs over PCIe.
    const auto leaving = [&](const std::vector<int>& group) {
        int bytes = 0;
        for (const int from : group)
            for (int to = 0; to < node.gpus; ++to)
                if (contains(mask, from) && contains(mask, to) && joined(from, to) == 0 &&
                    std::find(group.begin(), group.end(), to) == group.end())
                    ++bytes;
        return bytes;
    };
    double slowest = 0;
    for (int a = 0; a < node.gpus; ++a) {
        slowest = std::max(slowest, leaving({a}) / pcie);
        for (int b = 0; b < node.gpus; ++b)
            if (contains(mask, a) && contains(mask, b) && joined(a, b) > 0)
                slowest = std::max(slowest, 1.0 / (joined(a, b) * node.nvlink_link.effective.value.value()));
    }
    for (const auto& group : node.pcie_switches) slowest = std::max(slowest, leaving(group) / pcie);
    if (node.sockets.size() > 1) {
        const double between = node.socket_link.effective.value.value() * (node.peer_to_peer ? 1.0 : 0.5);
        for (const auto& group : node.sockets) slowest = std::max(slowest, leaving(group) / between);
    }
    return slowest;
}

/// The same among `ranks` GPUs of one node, chosen to suit.
double time_in_node(const Node& node, int ranks) {
    if (node.nvlink == NvlinkKind::nvswitch)
        return (ranks - 1) / (node.nvlink_link.effective.value.value() * node.nvlink_links_per_gpu);
    PLIMSOLL_ASSERT(node.gpus <= most_gpus_without_switch);
    const std::vector<int> links = links_of_pairs(node);
    double best = std::numeric_limits<double>::infinity();
    for (Mask mask = 0; mask < (1U << node.gpus); ++mask)
        if (__builtin_popcount(mask) == ranks) best = std::min(best, time_of_a_byte(node, links, mask));
    return best;
}

}  // namespace

const MeasuredKernel* exchange_basis(const Node& node, int ranks, const MeasuredKernel* measured) {
    return ranks <= node.gpus && covers(measured, ranks) ? measured : nullptr;
}

ExchangeTimes::ExchangeTimes(const Node& node, int ranks, Seconds overhead, const MeasuredKernel* measured)
    : ranks_(ranks), overhead_(overhead) {
    if (ranks == 1) return;
    const MeasuredKernel* basis = exchange_basis(node, ranks, measured);
    if (basis == nullptr) {
        use_links(node);
        return;
    }
    times_ = MessageTable(*basis, OperatorKind::all_to_all, ranks);
    bandwidth_ = times_.largest().first / times_.largest().second;
    if (basis->kinship == Kinship::same_gpu) origin_ = basis->models.front()->origin;
}

void ExchangeTimes::use_links(const Node& node) {
    const int inside = std::min(ranks_, node.gpus);
    double time = time_in_node(node, inside);
    start_ = overhead_ + CollectiveTimes(node, inside, Seconds(0)).latency();
    if (ranks_ > inside) {
        PLIMSOLL_ASSERT(node.nics > 0);
        const double adapters = node.nic.effective.value.value() * node.nics / node.gpus;  // of one GPU
        time = std::max(time, (ranks_ - inside) / adapters);
        start_ += node.nic.latency.value;
    }
    bandwidth_ = BytesPerSecond((ranks_ - 1) / time);
}

Seconds ExchangeTimes::all_to_all(Bytes sent) const {
    if (ranks_ == 1) return Seconds(0);
    return times_.empty() ? start_ + sent / bandwidth_ : overhead_ + times_.at(sent);
}

}  // namespace plimsoll
