#pragma once
#include <utility>
#include <vector>

#include "model/cost/work.hpp"
#include "model/spec/measured_kernels.hpp"

namespace plimsoll {

/// Times of messages by their size: both axes are logarithmic between two sizes; smaller messages take as long as the
/// smallest, larger ones go on at the rate of the largest.
class MessageTable {
  public:
    /// Empty: nothing is known.
    MessageTable() = default;
    /// By rising size.
    explicit MessageTable(std::vector<std::pair<Bytes, Seconds>> times) : times_(std::move(times)) {}
    /// A fitted collective among so many ranks, which `covers`: over the sizes that were measured, an octave apart.
    MessageTable(const MeasuredKernel& measured, OperatorKind kind, int ranks);

    [[nodiscard]] bool empty() const { return times_.empty(); }
    [[nodiscard]] const std::pair<Bytes, Seconds>& smallest() const { return times_.front(); }
    [[nodiscard]] const std::pair<Bytes, Seconds>& largest() const { return times_.back(); }
    [[nodiscard]] Seconds at(Bytes size) const;

  private:
    std::vector<std::pair<Bytes, Seconds>> times_;
};

/// Whether a fitted collective speaks of so many ranks: bandwidths say nothing about more, which may go other ways.
[[nodiscard]] bool covers(const MeasuredKernel* measured, int ranks);

}  // namespace plimsoll
