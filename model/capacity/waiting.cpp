#include "model/capacity/waiting.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"

namespace plimsoll {

TimeMoments wait_of_position(double departures, PerSecond rate, double cv2) {
    PLIMSOLL_ASSERT(departures >= 0.0 && rate.value() > 0.0 && cv2 >= 0.0);
    const Seconds gap = 1.0 / rate;
    const double residual_variance = (1.0 + cv2) * (1.0 + 5.0 * cv2) / 12.0;
    return {0.5 * (1.0 + cv2) * departures * gap, residual_variance * departures * (gap * gap)};
}

void add_waits(const StateDistribution& seen, std::size_t places, PerSecond rate, double cv2, Mixture& wait) {
    const bool has_tail = seen.tail_mass > 0.0;
    // With a tail the last state listed is the first of the geometric series.
    const std::size_t listed_end = has_tail ? seen.last() : seen.last() + 1;
    const double waiting = seen.at_least(places);
    wait.add(std::max(0.0, 1.0 - waiting), Seconds(0.0));
    for (std::size_t n = std::max(places, seen.first); n < listed_end; ++n) {
        const TimeMoments moments = wait_of_position(static_cast<double>(n - places + 1), rate, cv2);
        wait.add(seen.probability[n - seen.first], moments.mean, moments.variance);
    }
    if (!has_tail) return;
    const std::size_t from = std::max(places, listed_end);
    const double fixed = static_cast<double>(from - places);
    const double mean_more = 1.0 / (1.0 - seen.tail_ratio);
    const double variance_more = seen.tail_ratio * mean_more * mean_more;
    const TimeMoments moments = wait_of_position(fixed + mean_more, rate, cv2);
    const Seconds each = wait_of_position(1.0, rate, cv2).mean;
    wait.add(seen.at_least(from), moments.mean, moments.variance + variance_more * (each * each));
}

}  // namespace plimsoll
