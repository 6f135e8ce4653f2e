#include "model/capacity/uncertainty.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "model/base/normal.hpp"

namespace plimsoll {
namespace {

/// The surface is exact where the ends of an 80 % interval lie if one direction alone counts.
constexpr double spacing = 1.2815515655446004;  // quantile of the normal law at 0.9
constexpr std::array<double, 3> nodes{-spacing, 0.0, spacing};
/// Equally likely values along each direction: 961 draws, whose percentiles lie within 0.1 % of the law's.
constexpr std::size_t strata = 31;

double dot(const ByCause<double>& a, const ByCause<double>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < cause_count; ++i) sum += a.values[i] * b.values[i];
    return sum;
}

/// The two cells' border or the middle one of three nodes; lines go on beyond the outer ones.
struct Place {
    std::size_t below;
    double share;
};
Place place_of(double x) {
    const std::size_t below = x < 0.0 ? 0 : 1;
    return {below, (x - nodes[below]) / spacing};
}

double between(double a, double b, double share) {
    if (!std::isfinite(a) || !std::isfinite(b)) return share < 0.5 ? a : b;
    return a + (b - a) * share;
}

const std::array<double, strata>& normal_strata() {
    static const std::array<double, strata> values = [] {
        std::array<double, strata> result{};
        for (std::size_t i = 0; i < strata; ++i) result[i] = normal_quantile((static_cast<double>(i) + 0.5) / strata);
        return result;
    }();
    return values;
}

/// Between the values in order.
double percentile(const std::vector<double>& sorted, double share) {
    const double last = static_cast<double>(sorted.size() - 1);
    const double place = std::clamp(share * static_cast<double>(sorted.size()) - 0.5, 0.0, last);
    const auto below = static_cast<std::size_t>(place);
    return between(sorted[below], sorted[std::min(below + 1, sorted.size() - 1)], place - static_cast<double>(below));
}

}  // namespace

std::vector<ByCause<double>> main_directions(const ByCause<double>& first, const ByCause<double>& second) {
    // Eigenvectors of the symmetric 2 x 2 matrix A A^T by the angle that makes it diagonal (Jacobi).
    const double a = dot(first, first), b = dot(first, second), d = dot(second, second);
    const double angle = 0.5 * std::atan2(2.0 * b, a - d);
    std::vector<ByCause<double>> directions;
    double largest = 0;
    for (const auto& [x, y] : {std::pair(std::cos(angle), std::sin(angle)), {-std::sin(angle), std::cos(angle)}}) {
        const double variance = a * x * x + 2.0 * b * x * y + d * y * y;
        largest = std::max(largest, variance);
        constexpr double negligible = 1e-6;  // of the variance: a thousandth of the deviation
        if (variance <= 1e-18 || variance < negligible * largest) continue;
        ByCause<double> direction;
        for (std::size_t i = 0; i < cause_count; ++i)
            direction.values[i] = (x * first.values[i] + y * second.values[i]) / std::sqrt(variance);
        directions.push_back(direction);
    }
    return directions;
}

std::vector<Surface::Point> Surface::points(std::size_t directions) {
    PLIMSOLL_ASSERT(directions <= 2);
    if (directions == 0) return {{0.0, 0.0}};
    std::vector<Point> result;
    for (const double x : nodes) {
        if (directions == 1) result.push_back({x, 0.0});
        for (std::size_t i = 0; directions == 2 && i < nodes.size(); ++i) result.push_back({x, nodes[i]});
    }
    return result;
}

double Surface::at(Point point) const {
    if (values_.size() == 1) return values_[0];
    const auto [i, x] = place_of(point[0]);
    if (values_.size() == 3) return between(values_[i], values_[i + 1], x);
    const auto [j, y] = place_of(point[1]);
    const double* const row = &values_[3 * i + j];
    return between(between(row[0], row[1], y), between(row[3], row[4], y), x);
}

std::vector<double> Surface::draws() const {
    if (values_.size() == 1) return values_;
    std::vector<double> result;
    for (const double x : normal_strata()) {
        if (values_.size() == 3) result.push_back(at({x, 0.0}));
        for (std::size_t i = 0; values_.size() == 9 && i < strata; ++i) result.push_back(at({x, normal_strata()[i]}));
    }
    std::sort(result.begin(), result.end());
    return result;
}

Interval Surface::middle_80_percent() const {
    const std::vector<double> sorted = draws();
    return {percentile(sorted, 0.1), percentile(sorted, 0.9)};
}

double Surface::probability_of_at_most(double limit) const {
    const std::vector<double> sorted = draws();
    const auto within = std::upper_bound(sorted.begin(), sorted.end(), limit) - sorted.begin();
    return static_cast<double>(within) / static_cast<double>(sorted.size());
}

}  // namespace plimsoll
