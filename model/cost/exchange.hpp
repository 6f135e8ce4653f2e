#pragma once
#include "model/spec/node.hpp"

namespace plimsoll {

/// Time of an all-to-all in which every rank sends as much to each other: latency + bytes / bandwidth. Every byte goes
/// straight to its rank, so that it meets the fullest link: a GPU's links into a switch, the NVLinks of a pair, the
/// slot or the uplink of a PCIe switch, the link of two sockets; ranks beyond one node, the adapters.
class ExchangeTimes {
  public:
    /// More ranks than the node has GPUs are on several such nodes, which need adapters. `overhead` is added to every
    /// call (the engine's launch and skew).
    ExchangeTimes(const Node& node, int ranks, Seconds overhead);

    /// `sent`: by one rank to all others together.
    [[nodiscard]] Seconds all_to_all(Bytes sent) const;
    /// What one rank sends a second, to all others together, in large messages.
    [[nodiscard]] BytesPerSecond bandwidth() const { return bandwidth_; }

  private:
    int ranks_;
    Seconds start_;
    BytesPerSecond bandwidth_;
};

}  // namespace plimsoll
