#include "simulator/folded_timer.hpp"

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

StepShape shape_of(std::span<const PromptChunk> chunks) {
    StepShape shape{.prefill_sequences = static_cast<double>(chunks.size())};
    double squares = 0;
    for (const PromptChunk& chunk : chunks) {
        shape.prefill_tokens += chunk.tokens;
        shape.attention_pairs += causal_pairs(chunk.tokens, chunk.context);
        squares += static_cast<double>(chunk.tokens) * chunk.tokens;
    }
    if (squares > 0) shape.even_prompts = shape.prefill_tokens * shape.prefill_tokens / squares;
    return shape;
}

}  // namespace

FoldedTimer::FoldedTimer(const StepCost& cost, std::uint32_t max_sequences) : cost_(cost), lines_(max_sequences + 1) {
    for (std::uint32_t n = 1; n <= max_sequences; ++n) lines_[n] = line(n);
}

FoldedTimer::Line FoldedTimer::line(double decodes) const {
    Line pieces;
    double from = 0.0;
    for (Piece& piece : pieces) {
        piece.until = cost_.next_breakpoint(decodes, from);
        const bool last = std::isinf(piece.until);
        // Two points far apart: the slope loses no digits to the difference. A breakpoint itself may be a rounding
        // off, so that both keep away from it.
        constexpr double apart = 1048576.0;
        const double near = last ? from + 1.0 : from + 0.25 * (piece.until - from);
        const double far = last ? near + apart : from + 0.75 * (piece.until - from);
        piece.per_token = (cost_.decode(decodes, far) - cost_.decode(decodes, near)) / (far - near);
        piece.at_zero = cost_.decode(decodes, near) - piece.per_token * near;
        if (last) return pieces;
        from = piece.until;
    }
    PLIMSOLL_ASSERT(std::isinf(pieces.back().until));
    return pieces;
}

Seconds FoldedTimer::step(std::span<const PromptChunk> chunks, std::uint32_t decodes, std::uint64_t context) const {
    StepShape shape = shape_of(chunks);
    shape.decode_sequences = static_cast<double>(decodes);
    shape.context_tokens = static_cast<double>(context);
    return cost_.step(shape);
}

Seconds FoldedTimer::batch(std::span<const PromptChunk> chunks) const {
    StepShape shape = shape_of(chunks);
    shape.even_prompts = 1.0;  // one prompt is never divided
    return cost_.step(shape);
}

DecodePiece FoldedTimer::decode(std::uint32_t decodes, std::uint64_t context) const {
    PLIMSOLL_ASSERT(decodes < lines_.size());
    const auto tokens = static_cast<double>(context);
    const Piece* piece = lines_[decodes].data();
    while (tokens >= piece->until) ++piece;
    DecodePiece result{.first = piece->at_zero + piece->per_token * tokens, .growth = piece->per_token * decodes};
    if (std::isfinite(piece->until)) result.steps = 1 + static_cast<std::uint64_t>((piece->until - tokens) / decodes);
    return result;
}

}  // namespace plimsoll
