#pragma once
#include "simulator/step_timer.hpp"

namespace plimsoll {

/// A step of constant + per_prompt_token x prompt tokens + per_decode x decodes + per_context_token x context: for
/// queueing theory and cases worked by hand.
class AffineTimer final : public StepTimer {
  public:
    struct Coefficients {
        Seconds constant{}, per_prompt_token{}, per_decode{}, per_context_token{};
    };
    explicit AffineTimer(const Coefficients& coefficients) : of_(coefficients) {}

    [[nodiscard]] Seconds step(std::span<const PromptChunk> chunks, std::uint32_t decodes,
                               std::uint64_t context) const override {
        double tokens = 0;
        for (const PromptChunk& chunk : chunks) tokens += chunk.tokens;
        return of_.constant + of_.per_prompt_token * tokens + of_.per_decode * decodes +
               of_.per_context_token * static_cast<double>(context);
    }
    [[nodiscard]] DecodePiece decode(std::uint32_t decodes, std::uint64_t context) const override {
        return {.first = step({}, decodes, context), .growth = of_.per_context_token * decodes};
    }

  private:
    Coefficients of_;
};

}  // namespace plimsoll
