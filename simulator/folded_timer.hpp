#pragma once
#include <array>
#include <limits>
#include <vector>

#include "model/cost/step_cost.hpp"
#include "simulator/step_timer.hpp"

namespace plimsoll {

/// Steps timed by a deployment's folded cost. A decode batch of n takes a time that is affine in the context
/// between the contexts where the GPU hides more or less of the host; these pieces are kept for each n.
class FoldedTimer final : public StepTimer {
  public:
    /// Batches of up to `max_sequences`; the cost must outlive the timer.
    FoldedTimer(const StepCost& cost, std::uint32_t max_sequences);

    [[nodiscard]] Seconds step(std::span<const PromptChunk> chunks, std::uint32_t decodes,
                               std::uint64_t context) const override;
    [[nodiscard]] Seconds batch(std::span<const PromptChunk> chunks) const override;
    [[nodiscard]] DecodePiece decode(std::uint32_t decodes, std::uint64_t context) const override;

  private:
    /// What holds below a context, in tokens read.
    struct Piece {
        double until = std::numeric_limits<double>::infinity();
        Seconds at_zero{}, per_token{};
    };
    /// As many as two windows of the attention and the knots of the overlap make, of a model and of its draft.
    using Line = std::array<Piece, 17>;
    [[nodiscard]] Line line(double decodes) const;

    const StepCost& cost_;
    std::vector<Line> lines_;  ///< [max_sequences + 1]
};

}  // namespace plimsoll
