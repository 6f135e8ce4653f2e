#include "model/cost/launch_overlap.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

/// Close enough that the straight pieces of p = 4 stay within 1 % of the curve.
constexpr double ratios[] = {0.5, 0.75, 1.0, 1.35, 2.0, 3.0};

}  // namespace

LaunchOverlap::LaunchOverlap(std::optional<double> sharpness) {
    if (!sharpness) {
        knots_ = {1.0};
        return;
    }
    for (const double ratio : ratios) {
        knots_.push_back(ratio);
        values_.push_back(std::pow(1.0 + std::pow(ratio, *sharpness), 1.0 / *sharpness));
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
