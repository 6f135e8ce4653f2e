#include "model/cost/launch_overlap.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

/// Knots as (G / H)^p: the bend of the curve is as wide in these whatever p is, so that its pieces are as near to it.
constexpr double powers[] = {0.06, 0.3, 1.0, 3.3, 16.0, 81.0};

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
    for (const double power : powers) knots_.push_back(std::pow(power, 1.0 / *sharpness));
    // Chords of a convex curve lie above it: inner knots lie as far below, and no piece is more than 0.6 % off.
    double left = 0.0;
    for (std::size_t i = 0; i < knots_.size(); ++i) {
        const double knot = knots_[i];
        double value = curve(knot, *sharpness);
        if (i + 1 < knots_.size()) value -= 0.25 * (above_curve(left, knot) + above_curve(knot, knots_[i + 1]));
        left = knot;
        values_.push_back(std::max({value, 1.0, knot}));
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
