#include "model/capacity/think_law.hpp"

#include <algorithm>

namespace plimsoll {

ThinkLaw::ThinkLaw(const Distribution& shape, Seconds mean)
    : mean_(mean.value()), points_(shape.points()), rests_(points_.size()) {
    const double scale = shape.mean() > 0 ? mean_ / shape.mean() : 0.0,
                 each = 1.0 / static_cast<double>(points_.size());
    for (double& point : points_) point *= scale;
    // Above the i-th point lie those after it: E[max(0, Z - z_i)] grows downwards by their share of each gap.
    for (std::size_t i = points_.size() - 1; i-- > 0;)
        rests_[i] = rests_[i + 1] + static_cast<double>(points_.size() - 1 - i) * each * (points_[i + 1] - points_[i]);
}

double ThinkLaw::back(double time) const {
    const auto above = std::upper_bound(points_.begin(), points_.end(), time);
    return static_cast<double>(above - points_.begin()) / static_cast<double>(points_.size());
}

double ThinkLaw::rest(double time) const {
    const auto above = std::upper_bound(points_.begin(), points_.end(), time);
    if (above == points_.end()) return 0.0;
    const auto index = static_cast<std::size_t>(above - points_.begin());
    const double share = static_cast<double>(points_.size() - index) / static_cast<double>(points_.size());
    return rests_[index] + share * (*above - time);
}

double ThinkLaw::back(double time, double age) const {
    const double all = rest(age);
    return all > 1e-12 * mean_ ? 1.0 - rest(age + time) / all : 1.0;
}

double ThinkLaw::within(double u) const {
    const auto index = static_cast<std::size_t>(u * static_cast<double>(points_.size()));
    return points_[std::min(index, points_.size() - 1)];
}

double ThinkLaw::within(double u, double age) const {
    const double wanted = rest(age) * (1.0 - u);
    // `rests_` falls; the place is between two points, or below the first, where all are still thinking.
    const auto below = std::lower_bound(rests_.begin(), rests_.end(), wanted, std::greater<>());
    if (below == rests_.end()) return std::max(0.0, points_.back() - age);
    const auto index = static_cast<std::size_t>(below - rests_.begin());
    const double share = static_cast<double>(points_.size() - index) / static_cast<double>(points_.size());
    return std::max(0.0, points_[index] - (wanted - rests_[index]) / share - age);
}

}  // namespace plimsoll
