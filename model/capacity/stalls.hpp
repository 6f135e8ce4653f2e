#pragma once
#include <algorithm>

#include "model/capacity/mixture.hpp"

namespace plimsoll {

/// What the prefills of others add to the decoding of a request, by the number of its steps: the part of the spread of
/// TPOT that is larger the shorter an answer is.
struct Stalls {
    Seconds a_step;        ///< mean stall of a step
    Seconds at_start;      ///< beside it, once a request; may be negative
    Seconds one;           ///< a single stall, mean
    Seconds size_spread;   ///< variance of the stalls of a request over their mean, by their sizes
    Seconds count_spread;  ///< the same by their number, where few steps have one
    /// Steps in a row that have one, where a step has one at the most; 0 where any number may fall between two steps.
    double in_a_row = 0;

    /// Mean of all stalls over `steps` decode steps.
    [[nodiscard]] Seconds over(double steps) const {
        const Seconds all = std::max(Seconds(0), a_step * steps + at_start);
        return in_a_row > 0 ? std::min(all, one * steps) : all;
    }
    /// Probability that `steps` decode steps meet none.
    [[nodiscard]] double none(double steps) const;
    /// Variance of all stalls over `steps` decode steps.
    [[nodiscard]] SecondsSquared variance(double steps) const;
    /// Share of the steps that have one, where a step has one at the most; otherwise 0.
    [[nodiscard]] double share(double steps) const;
};

/// A share of the way from `a` to `b`.
[[nodiscard]] Stalls mix(const Stalls& a, const Stalls& b, double share);

}  // namespace plimsoll
