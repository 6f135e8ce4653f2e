#pragma once
#include <algorithm>
#include <cmath>
#include <span>

namespace plimsoll {

/// The numbers of ranks for which a form of a collective has constants.
inline constexpr double constant_ranks[] = {2, 4, 8, 16};
inline constexpr std::size_t constant_rank_count = std::size(constant_ranks);

/// The constant for `ranks`: between two of those numbers logarithms are interpolated.
[[nodiscard]] inline double at_ranks(std::span<const double> values, double ranks) {
    const double at = std::clamp(std::log2(ranks) - 1.0, 0.0, static_cast<double>(constant_rank_count - 1));
    const auto below = std::min(static_cast<std::size_t>(at), constant_rank_count - 2);
    const double share = at - static_cast<double>(below);
    return values[below] * std::pow(values[below + 1] / values[below], share);
}

}  // namespace plimsoll
