#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "model/base/units.hpp"

namespace plimsoll {

/// More steps than any run takes.
inline constexpr std::uint64_t unlimited_steps = std::numeric_limits<std::uint64_t>::max();

/// A piece of a prompt that a step processes, after `context` tokens of it that are already cached.
struct PromptChunk {
    std::uint32_t request = 0;
    std::uint32_t tokens = 0;
    std::uint32_t context = 0;
};

/// The times of consecutive decode steps of a fixed batch while one formula holds: first, first + growth, ...
struct DecodePiece {
    Seconds first{};
    Seconds growth{};  ///< not negative
    std::uint64_t steps = unlimited_steps;

    /// Time of the first k steps.
    [[nodiscard]] Seconds total(std::uint64_t k) const {
        const auto count = static_cast<double>(k);
        return first * count + growth * (0.5 * count * (count - 1.0));
    }
    /// The fewest steps, at least one and at most `most`, after which a clock that starts at `start` shows `until` or
    /// more: solved from the quadratic, then settled by the sum itself so that a tie is decided the same way.
    [[nodiscard]] std::uint64_t steps_until(Seconds start, Seconds until, std::uint64_t most) const {
        const double span = (until - start).value(), slope = growth.value();
        const double b = first.value() - 0.5 * slope;
        const double root = 2.0 * span / (b + std::sqrt(b * b + 2.0 * slope * span));
        if (!(root < static_cast<double>(most))) return most;
        auto k = root <= 1.0 ? std::uint64_t{1} : static_cast<std::uint64_t>(root);
        while (k > 1 && start + total(k - 1) >= until) --k;
        while (k < most && start + total(k) < until) ++k;
        return k;
    }
};

/// The time of engine steps. Called once a step or once a jump over many, never below.
class StepTimer {
  public:
    StepTimer() = default;
    StepTimer(const StepTimer&) = delete;
    StepTimer& operator=(const StepTimer&) = delete;
    virtual ~StepTimer() = default;

    /// A step of prompt chunks and of `decodes` sequences that read `context` tokens in all.
    [[nodiscard]] virtual Seconds step(std::span<const PromptChunk> chunks, std::uint32_t decodes,
                                       std::uint64_t context) const = 0;
    /// Chunks that go through the stages of a pipeline as one batch, with nobody who decodes.
    [[nodiscard]] virtual Seconds batch(std::span<const PromptChunk> chunks) const { return step(chunks, 0, 0); }
    /// Decode steps of `decodes` sequences whose contexts sum to `context` in the first and each grow by one a step.
    [[nodiscard]] virtual DecodePiece decode(std::uint32_t decodes, std::uint64_t context) const = 0;
};

}  // namespace plimsoll
