#pragma once

namespace plimsoll {

struct Transformer;

/// Tokens drafted ahead and checked at once by the model that they are drafted for (speculative decoding, Leviathan et
/// al. 2023, arXiv 2211.17192).
struct Speculation {
    const Transformer* draft = nullptr;  ///< of the catalog; null: the model's own modules that predict further tokens
    int tokens = 0;                      ///< drafted a step
    double acceptance = 0;               ///< probability that one is accepted where all before it are

    /// Tokens that a step adds to a sequence in the mean, 1 to tokens + 1: (1 - a^(k+1)) / (1 - a) of equation 1.
    [[nodiscard]] constexpr double expected_tokens() const {
        double sum = 0, power = 1;
        for (int i = 0; i <= tokens; ++i, power *= acceptance) sum += power;
        return sum;
    }
};

}  // namespace plimsoll
