#pragma once
#include "model/cost/message_table.hpp"
#include "model/spec/node.hpp"

namespace plimsoll {

/// Time of an all-to-all in which every rank sends as much to each other: the profile that was fitted for that rank
/// count where there is one, otherwise latency + bytes / bandwidth. Every byte goes straight to its rank, so that it
/// meets the fullest link: a GPU's links into a switch, the NVLinks of a pair, the slot or the uplink of a PCIe switch,
/// the link of two sockets; ranks beyond one node, the adapters.
class ExchangeTimes {
  public:
    /// More ranks than the node has GPUs are on several such nodes, which need adapters. `overhead` is added to every
    /// call (the engine's launch and skew); `measured`: of a profile of GPUs joined as the node's, or null.
    ExchangeTimes(const Node& node, int ranks, Seconds overhead, const MeasuredKernel* measured = nullptr);

    /// `sent`: by one rank to all others together.
    [[nodiscard]] Seconds all_to_all(Bytes sent) const;
    /// What one rank sends a second, to all others together, in large messages.
    [[nodiscard]] BytesPerSecond bandwidth() const { return bandwidth_; }
    [[nodiscard]] Origin origin() const { return origin_; }

  private:
    void use_links(const Node& node);

    int ranks_;
    Seconds overhead_;
    Seconds start_;  ///< where it is not measured
    BytesPerSecond bandwidth_;
    Origin origin_ = Origin::estimated;
    MessageTable times_;
};

/// The measured all-to-all that stands for so many ranks on a node; null: its links do.
[[nodiscard]] const MeasuredKernel* exchange_basis(const Node& node, int ranks, const MeasuredKernel* measured);

}  // namespace plimsoll
