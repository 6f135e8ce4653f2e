#include "simulator/folded_timer.hpp"

#include "model/base/error.hpp"

namespace plimsoll {

FoldedTimer::FoldedTimer(const StepCost& cost, std::uint32_t max_sequences) : cost_(cost), lines_(max_sequences + 1) {
    for (std::uint32_t n = 1; n <= max_sequences; ++n) lines_[n] = line(n);
}

FoldedTimer::Line FoldedTimer::line(double decodes) const {
    Line result;
    const double breakpoint = cost_.next_breakpoint(decodes, 0.0);
    if (std::isfinite(breakpoint)) result.breakpoint = breakpoint;
    result.flat = cost_.decode(decodes, 0.0);
    // Two points far apart on the affine part: the slope loses no digits to the difference.
    constexpr double apart = 1048576.0;
    const double near = result.breakpoint + 1.0, far = near + apart;
    result.per_token = (cost_.decode(decodes, far) - cost_.decode(decodes, near)) / apart;
    result.at_zero = cost_.decode(decodes, near) - result.per_token * near;
    return result;
}

Seconds FoldedTimer::step(std::span<const PromptChunk> chunks, std::uint32_t decodes, std::uint64_t context) const {
    StepShape shape{.prefill_sequences = static_cast<double>(chunks.size()),
                    .decode_sequences = static_cast<double>(decodes),
                    .context_tokens = static_cast<double>(context)};
    for (const PromptChunk& chunk : chunks) {
        shape.prefill_tokens += chunk.tokens;
        shape.attention_pairs += causal_pairs(chunk.tokens, chunk.context);
    }
    return cost_.step(shape);
}

DecodePiece FoldedTimer::decode(std::uint32_t decodes, std::uint64_t context) const {
    PLIMSOLL_ASSERT(decodes < lines_.size());
    const Line& of = lines_[decodes];
    const auto tokens = static_cast<double>(context);
    if (tokens < of.breakpoint)
        return {.first = of.flat, .steps = 1 + static_cast<std::uint64_t>((of.breakpoint - tokens) / decodes)};
    return {.first = of.at_zero + of.per_token * tokens, .growth = of.per_token * decodes};
}

}  // namespace plimsoll
