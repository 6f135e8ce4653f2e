#pragma once
#include "model/cost/message_table.hpp"
#include "model/spec/measured_kernels.hpp"
#include "model/spec/node.hpp"

namespace plimsoll {

/// Bytes that cross each GPU's link in one direction in a ring all-reduce of S bytes: 2 (p - 1) / p S
/// (nccl-tests, doc/PERFORMANCE.md). Bus bandwidth is this over the time.
[[nodiscard]] Bytes ring_all_reduce_bytes(Bytes size, int ranks);

/// What the times of collectives among GPUs of a node stand on; both null: its links alone.
struct CollectiveBasis {
    const CollectiveCurve* curve = nullptr;    ///< of the node
    const MeasuredKernel* measured = nullptr;  ///< of a profile
    Origin origin = Origin::estimated;
};

/// The strongest of what is known for that rank count: a profile measured on this very machine, the node's own
/// curve if its bandwidth was measured, a profile of GPUs joined alike, the node's estimate, its links.
[[nodiscard]] CollectiveBasis collective_basis(const Node& node, int ranks, const MeasuredKernel* measured);

/// Time of collectives among `ranks` GPUs of one node: from the table, the curve or the fitted profile that stands for
/// that rank count where there is one, otherwise latency + bytes / bandwidth of a ring over the weakest link of the
/// best placed GPUs.
class CollectiveTimes {
  public:
    /// `overhead` is added to every call (the engine's launch and skew); `measured`: of a profile, or null.
    /// `peers`: the engine brings an all-reduce along that reads peers' memory, and takes it where it is the shorter,
    /// up to the largest message that its table has.
    CollectiveTimes(const Node& node, int ranks, Seconds overhead, const MeasuredKernel* measured = nullptr,
                    bool peers = false);

    /// Messages from `senders` ranks of a host at once, each to its counterpart on the next host: `inside` and the
    /// way through the adapters, of which each sender has its share, one at the most.
    [[nodiscard]] static CollectiveTimes across_hosts(const Node& node, int senders, const CollectiveTimes& inside);

    [[nodiscard]] Seconds all_reduce(Bytes size) const;
    /// Each rank contributes `size`; (p - 1) `size` cross each link.
    [[nodiscard]] Seconds all_gather(Bytes size) const;
    /// Each rank is left with `size` of the sums; (p - 1) `size` cross each link.
    [[nodiscard]] Seconds reduce_scatter(Bytes size) const { return all_gather(size); }
    [[nodiscard]] Seconds send_recv(Bytes size) const;
    [[nodiscard]] int ranks() const { return ranks_; }
    [[nodiscard]] Origin origin() const { return origin_; }
    /// Ring bus bandwidth for large messages.
    [[nodiscard]] BytesPerSecond bus_bandwidth() const { return bus_bandwidth_; }
    [[nodiscard]] Seconds latency() const { return latency_; }

  private:
    void set_by_library(const Node& node, const MeasuredKernel* measured);

    int ranks_;
    Seconds overhead_, latency_;
    BytesPerSecond bus_bandwidth_;
    Origin origin_ = Origin::estimated;
    MessageTable times_;       ///< of all-reduces
    MessageTable peer_times_;  ///< of those of the engine's own
};

/// Bus bandwidth of a ring among `ranks` GPUs of a node from its links alone, GPUs chosen to suit (a bridged pair, one
/// socket, one quad of a mesh).
[[nodiscard]] BytesPerSecond ring_bandwidth_from_links(const Node& node, int ranks);

/// NCCL's own planning rule for a ring of small messages: base 6.6 us + 2 (p - 1) hops of 0.6 us over NVLink or 1.0 us
/// over PCIe (nccl src/graph/tuning.cc at 5067397, protocol LL).
[[nodiscard]] Seconds ring_latency_from_links(const Node& node, int ranks);

}  // namespace plimsoll
