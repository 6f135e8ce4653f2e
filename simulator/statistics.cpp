#include "simulator/statistics.hpp"

#include <cmath>
#include <limits>
#include <numbers>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

constexpr double unknown = std::numeric_limits<double>::infinity();

/// P(|T| < t).
double student_two_sided(double t, std::uint64_t degrees) {
    const auto n = static_cast<double>(degrees);
    const double angle = std::atan(t / std::sqrt(n)), cosine2 = std::cos(angle) * std::cos(angle);
    const bool odd = degrees % 2 == 1;
    double term = odd ? std::cos(angle) : 1.0, sum = degrees == 1 ? 0.0 : term;
    for (std::uint64_t k = odd ? 3 : 2; k + 2 <= degrees; k += 2) {
        term *= cosine2 * static_cast<double>(k - 1) / static_cast<double>(k);
        sum += term;
    }
    return odd ? 2.0 / std::numbers::pi * (angle + std::sin(angle) * sum) : std::sin(angle) * sum;
}

}  // namespace

double student_t_975(std::uint64_t degrees) {
    PLIMSOLL_ASSERT(degrees >= 1);
    if (degrees > 100'000) return 1.959963984540054;  // the normal law's
    double low = 1.9, high = 13.0;
    for (int i = 0; i < 60; ++i) {
        const double middle = 0.5 * (low + high);
        (student_two_sided(middle, degrees) < 0.95 ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

Estimate mean_of(std::span<const double> samples) {
    if (samples.empty()) return {0.0, unknown};
    const auto n = static_cast<double>(samples.size());
    double mean = 0, squares = 0;
    for (const double sample : samples) mean += sample / n;
    for (const double sample : samples) squares += (sample - mean) * (sample - mean);
    if (samples.size() < 2) return {mean, unknown};
    return {mean, student_t_975(samples.size() - 1) * std::sqrt(squares / (n - 1.0) / n)};
}

Estimate paired_difference(std::span<const double> a, std::span<const double> b) {
    PLIMSOLL_ASSERT(a.size() == b.size());
    const auto n = static_cast<double>(a.size());
    if (a.empty()) return {0.0, unknown};
    double mean = 0, squares = 0;
    for (std::size_t i = 0; i < a.size(); ++i) mean += (a[i] - b[i]) / n;
    for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i] - mean) * (a[i] - b[i] - mean);
    if (a.size() < 2) return {mean, unknown};
    return {mean, student_t_975(a.size() - 1) * std::sqrt(squares / (n - 1.0) / n)};
}

Estimate ratio_of(std::span<const double> numerators, std::span<const double> denominators) {
    PLIMSOLL_ASSERT(numerators.size() == denominators.size());
    double above = 0, below = 0, squares = 0;
    for (std::size_t i = 0; i < numerators.size(); ++i) {
        above += numerators[i];
        below += denominators[i];
    }
    if (!(below > 0)) return {0.0, unknown};
    const double ratio = above / below;
    if (numerators.size() < 2) return {ratio, unknown};
    for (std::size_t i = 0; i < numerators.size(); ++i) {
        const double rest = numerators[i] - ratio * denominators[i];
        squares += rest * rest;
    }
    const auto n = static_cast<double>(numerators.size());
    return {ratio, student_t_975(numerators.size() - 1) * std::sqrt(squares * n / (n - 1.0)) / below};
}

double lag_one_correlation(std::span<const double> series) {
    if (series.size() < 3) return 0.0;
    double mean = 0, squares = 0, products = 0;
    for (const double x : series) mean += x;
    mean /= static_cast<double>(series.size());
    for (std::size_t i = 0; i < series.size(); ++i) {
        squares += (series[i] - mean) * (series[i] - mean);
        if (i > 0) products += (series[i] - mean) * (series[i - 1] - mean);
    }
    // What is left of a constant series is rounding.
    const double rounding = 1e-28 * mean * mean * static_cast<double>(series.size());
    return squares > rounding ? products / squares : 0.0;
}

std::size_t mser_cut(std::span<const double> series) {
    std::size_t best = 0;
    double least = unknown, mean = 0, squares = 0;
    // From the end on, so that mean and squares of the rest grow by one value at a time (Welford 1962).
    for (std::size_t i = series.size(); i-- > 0;) {
        const auto rest = static_cast<double>(series.size() - i);
        const double step = series[i] - mean;
        mean += step / rest;
        squares += step * (series[i] - mean);
        if (i > series.size() / 2) continue;
        const double error = squares / (rest * rest);
        if (error > least) continue;
        least = error;
        best = i;
    }
    return best;
}

}  // namespace plimsoll
