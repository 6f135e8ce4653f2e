#include "model/cost/network.hpp"

#include <algorithm>

#include "model/base/error.hpp"
#include "model/cost/collective.hpp"

namespace plimsoll {

/// The start is that of a message between two GPUs of a host and the hop that the link adds. All instances of the hosts
/// may send at the same time.
NetworkTimes::NetworkTimes(const Deployment& d)
    : origin_(weakest(d.node->nic.effective.origin, d.node->nic.message_hop().origin)) {
    const Node& node = *d.node;
    PLIMSOLL_ASSERT(node.nics > 0);
    const double senders = d.tensor_parallel * d.instances_per_node;
    bandwidth_ = node.nic.effective.value * std::min(1.0, node.nics / senders);
    start_ = d.engine->collective_overhead.value + node.nic.message_hop().value;
    if (node.gpus == 1) {
        start_ += ring_latency_from_links(node, 1);
        return;
    }
    const CollectiveTimes inside(node, 2, Seconds(0), d.measured ? &d.measured->all_reduce : nullptr);
    start_ += inside.latency();
    bandwidth_ = std::min(bandwidth_, inside.bus_bandwidth());
}

}  // namespace plimsoll
