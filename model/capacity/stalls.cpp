#include "model/capacity/stalls.hpp"

#include <cmath>

namespace plimsoll {

Stalls mix(const Stalls& a, const Stalls& b, double share) {
    const auto between = [share](auto x, auto y) { return x + (y - x) * share; };
    return {.a_step = between(a.a_step, b.a_step),
            .at_start = between(a.at_start, b.at_start),
            .one = between(a.one, b.one),
            .size_spread = between(a.size_spread, b.size_spread),
            .count_spread = between(a.count_spread, b.count_spread),
            .in_a_row = between(a.in_a_row, b.in_a_row)};
}

double Stalls::share(double steps) const {
    return in_a_row > 0 && one > Seconds(0) ? std::min(1.0, over(steps) / (one * steps)) : 0.0;
}

double Stalls::none(double steps) const {
    if (in_a_row > 0) return std::pow(1.0 - share(steps), std::max(1.0, steps / in_a_row));
    return one > Seconds(0) ? std::exp(-(over(steps) / one)) : 1.0;
}

SecondsSquared Stalls::variance(double steps) const {
    // Of an answer shorter than a row all steps are of it or none.
    const double row = in_a_row > 0 ? std::min(1.0, steps / in_a_row) : 1.0;
    return over(steps) * (size_spread + count_spread * (1.0 - share(steps))) * row;
}

}  // namespace plimsoll
