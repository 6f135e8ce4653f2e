#include "calibrate/timing.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// Beyond this many standard errors a difference is taken for real: two-sided chance of 0.3 %.
constexpr double beyond_chance = 3.0;

std::vector<double> sorted_values(std::span<const Seconds> times) {
    std::vector<double> values;
    values.reserve(times.size());
    for (const Seconds time : times) values.push_back(time.value());
    std::sort(values.begin(), values.end());
    return values;
}

double median_of_sorted(const std::vector<double>& sorted) {
    const std::size_t middle = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2.0;
}

/// Interquartile range.
double spread(const std::vector<double>& sorted) {
    return sorted[sorted.size() * 3 / 4] - sorted[sorted.size() / 4];
}

/// How many of the n readings may be left out at each end: the largest r with P(Binomial(n, 1/2) < r) <= 2.5 %, so
/// that the r-th smallest and r-th largest enclose the median in at least 95 % of all cases (W. J. Conover, Practical
/// Nonparametric Statistics, 3.2). 0: none.
std::size_t enclosing_rank(std::size_t n) {
    constexpr double tail = 0.025;
    double below = 0.0;
    for (std::size_t r = 0; r < n; ++r) {
        const auto of = static_cast<double>(n), k = static_cast<double>(r);
        below += std::exp(std::lgamma(of + 1) - std::lgamma(k + 1) - std::lgamma(of - k + 1) - of * std::log(2.0));
        if (below > tail) return r;
    }
    return 0;
}

/// Kendall's S over its standard deviation under no trend (M. G. Kendall, Rank Correlation Methods): how surely later
/// readings are longer (or shorter) than earlier ones.
double trend(std::span<const Seconds> times) {
    double score = 0.0;
    for (std::size_t i = 0; i < times.size(); ++i)
        for (std::size_t j = i + 1; j < times.size(); ++j)
            score += times[i] < times[j] ? 1.0 : (times[j] < times[i] ? -1.0 : 0.0);
    const auto n = static_cast<double>(times.size());
    return score / std::sqrt(n * (n - 1.0) * (2.0 * n + 5.0) / 18.0);
}

/// Every few of many readings: what is asked of them grows with the square of their number.
std::vector<Seconds> thinned(std::span<const Seconds> times) {
    constexpr std::size_t enough = 200;
    const std::size_t step = times.size() / enough + 1;
    std::vector<Seconds> kept;
    for (std::size_t i = 0; i < times.size(); i += step) kept.push_back(times[i]);
    return kept;
}

double drift_of(std::span<const Seconds> times) {
    constexpr std::size_t fewest = 10;
    if (times.size() < fewest || std::abs(trend(thinned(times))) < beyond_chance) return 0.0;
    const std::size_t half = times.size() / 2;
    return median_of(times.last(half)) / median_of(times.first(half)) - 1.0;
}

std::uint32_t spikes_in(const std::vector<double>& sorted) {
    const double middle = median_of_sorted(sorted);
    // Ten times the way from the median to the quartile above it, and never less than a fifth of the median: the
    // quartiles of a steady kernel lie within the resolution of the clock.
    const double upper = sorted[sorted.size() * 3 / 4];
    const double limit = middle + std::max(10.0 * (upper - middle), 0.2 * middle);
    return static_cast<std::uint32_t>(sorted.end() - std::upper_bound(sorted.begin(), sorted.end(), limit));
}

/// Two clusters: the widest gap leaves at least a fifth of the readings on either side, and is wider than twice what
/// either side spreads and than 3 % of the median.
bool is_bimodal(const std::vector<double>& sorted) {
    constexpr std::size_t fewest = 10;
    if (sorted.size() < fewest) return false;
    std::size_t cut = sorted.size() / 5;
    for (std::size_t i = cut; i + sorted.size() / 5 <= sorted.size(); ++i)
        if (sorted[i] - sorted[i - 1] > sorted[cut] - sorted[cut - 1]) cut = i;
    const double gap = sorted[cut] - sorted[cut - 1];
    const auto split = sorted.begin() + static_cast<std::ptrdiff_t>(cut);
    const double below = spread({sorted.begin(), split}), above = spread({split, sorted.end()});
    return gap > 2.0 * std::max(below, above) && gap > 0.03 * median_of_sorted(sorted);
}

}  // namespace

Seconds median_of(std::span<const Seconds> times) {
    PLIMSOLL_ASSERT(!times.empty());
    return Seconds(median_of_sorted(sorted_values(times)));
}

std::optional<MedianInterval> median_interval(std::span<const Seconds> times) {
    const std::size_t rank = enclosing_rank(times.size());
    if (rank == 0) return std::nullopt;
    const std::vector<double> sorted = sorted_values(times);
    return MedianInterval{Seconds(median_of_sorted(sorted)), Seconds(sorted[rank - 1]),
                          Seconds(sorted[sorted.size() - rank])};
}

Findings findings(std::span<const Seconds> times) {
    if (times.empty()) return {};
    const std::vector<double> sorted = sorted_values(times);
    return {drift_of(times), spikes_in(sorted), is_bimodal(sorted)};
}

void StoppingRule::add(const Reading& reading) {
    if (reading.throttled) {
        ++discarded_;
        return;
    }
    for (Series* series : {&all_, &undisturbed_}) {
        if (series == &undisturbed_ && reading.disturbed) continue;
        series->times.push_back(reading.elapsed);
        series->clocks.push_back(reading.clock_mhz);
    }
}

bool StoppingRule::is_steady() {
    const std::vector<Seconds>& times = used().times;
    if (times.size() < rule_.least_readings || times.size() < next_look_) return false;
    next_look_ = times.size() + std::max<std::size_t>(1, times.size() / 8);
    const auto interval = median_interval(times);
    if (!interval) return false;
    const double half_width = std::max(interval->relative_half_width(), std::abs(drift_of(times)) / 2.0);
    if (half_width <= rule_.half_width || times.size() >= rule_.most_readings) return true;
    // Noise that stays as it is: more readings would tell little for their time. Four looks that agree are no chance.
    constexpr std::size_t looks = 4;
    spreads_.push_back(spread(sorted_values(times)) / interval->median.value());
    if (times.size() < rule_.stable_from || spreads_.size() < looks) return false;
    const auto [least, most] = std::minmax_element(spreads_.end() - looks, spreads_.end());
    return *most - *least <= rule_.stable_within * *most && drift_of(times) == 0.0;
}

StoppingRule::State StoppingRule::state(Seconds elapsed) {
    if (!settle_ && undisturbed_.times.size() < rule_.least_readings && elapsed >= rule_.time_limit * rule_.patience &&
        all_.times.size() > undisturbed_.times.size()) {
        settle_ = true;
        next_look_ = 0;
        spreads_.clear();
    }
    if (is_steady()) return State::steady;
    return elapsed < rule_.time_limit ? State::more : State::timed_out;
}

Sample StoppingRule::sample(const KernelPoint& point, bool timed_out) const {
    const std::vector<Seconds>& times = used().times;
    Sample sample{.point = point, .times = times, .timed_out = timed_out};
    sample.disturbed = settle_;
    sample.discarded = discarded_ + static_cast<std::uint32_t>(all_.times.size() - times.size());
    if (times.empty()) return sample;
    sample.median = median_of(times);
    if (const auto interval = median_interval(times)) sample.relative_half_width = interval->relative_half_width();
    sample.relative_half_width = std::max(sample.relative_half_width, std::abs(drift_of(times)) / 2.0);
    std::vector<double> clocks = used().clocks;
    std::sort(clocks.begin(), clocks.end());
    sample.clock_mhz = median_of_sorted(clocks);
    return sample;
}

}  // namespace plimsoll
