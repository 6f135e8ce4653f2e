#include "model/cost/launch_overlap.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace plimsoll {
namespace {

constexpr double ratios[] = {0.5, 0.75, 1.0, 1.35, 2.0, 3.0};

double curve(double ratio, double sharpness) {
    return std::pow(1.0 + std::pow(ratio, sharpness), 1.0 / sharpness);
}

}  // namespace

LaunchOverlap::LaunchOverlap(std::optional<double> sharpness) {
    if (!sharpness) {
        knots_ = {1.0};
        return;
    }
    const auto above_curve = [&](double left, double right) {
        const auto f = [&](double ratio) { return curve(ratio, *sharpness); };
        return 0.5 * (f(left) + f(right)) - f(0.5 * (left + right));
    };
    // Chords of a convex curve lie above it: inner knots lie as far below, and p = 4 is met to half a percent.
    double left = 0.0;
    for (std::size_t i = 0; i < std::size(ratios); ++i) {
        double value = curve(ratios[i], *sharpness);
        if (i + 1 < std::size(ratios))
            value -= 0.25 * (above_curve(left, ratios[i]) + above_curve(ratios[i], ratios[i + 1]));
        left = ratios[i];
        knots_.push_back(ratios[i]);
        values_.push_back(std::max({value, 1.0, ratios[i]}));
    }
}

Seconds LaunchOverlap::time(Seconds gpu, Seconds launches) const {
    if (values_.empty() || launches <= Seconds(0)) return std::max(gpu, launches);
    const double ratio = gpu / launches;
    if (ratio >= knots_.back()) return gpu + launches * (values_.back() - knots_.back());
    const auto above = static_cast<std::size_t>(std::upper_bound(knots_.begin(), knots_.end(), ratio) - knots_.begin());
    // Without work on the GPU the launches alone take their time.
    const double left = above == 0 ? 0.0 : knots_[above - 1], low = above == 0 ? 1.0 : values_[above - 1];
    return launches * (low + (values_[above] - low) * (ratio - left) / (knots_[above] - left));
}

}  // namespace plimsoll
