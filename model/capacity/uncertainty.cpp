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
/// Equally likely values along each direction: 961 draws of two or 1331 of three, whose percentiles lie within 0.1 and
/// 0.4 % of the law's.
constexpr std::size_t strata_of_two = 31, strata_of_three = 11;

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

std::vector<double> normal_strata(std::size_t strata) {
    std::vector<double> result(strata);
    for (std::size_t i = 0; i < strata; ++i)
        result[i] = normal_quantile((static_cast<double>(i) + 0.5) / static_cast<double>(strata));
    return result;
}

/// How many directions so many values are known along.
std::size_t directions_of(std::size_t values) {
    return values == 1 ? 0 : values == 3 ? 1 : values == 9 ? 2 : 3;
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
    PLIMSOLL_ASSERT(directions <= 3);
    // All combinations, the first direction slowest.
    std::vector<Point> result{Point{}};
    for (std::size_t axis = 0; axis < directions; ++axis) {
        std::vector<Point> finer;
        for (Point point : result)
            for (const double value : nodes) {
                point[axis] = value;
                finer.push_back(point);
            }
        result = std::move(finer);
    }
    return result;
}

double Surface::at(Point point) const {
    std::array<double, 27> values{};
    std::copy(values_.begin(), values_.end(), values.begin());
    std::size_t size = values_.size();
    for (std::size_t axis = directions_of(size); axis-- > 0;) {
        const auto [below, share] = place_of(point[axis]);
        size /= nodes.size();
        for (std::size_t i = 0; i < size; ++i)
            values[i] = between(values[3 * i + below], values[3 * i + below + 1], share);
    }
    return values[0];
}

/// As `at` over the grid of all combinations, one direction after the other, the last one first.
std::vector<double> Surface::draws() const {
    // The same points for every quantity.
    static const std::array<std::vector<double>, 4> strata{std::vector<double>{}, normal_strata(strata_of_two),
                                                           normal_strata(strata_of_two),
                                                           normal_strata(strata_of_three)};
    const std::size_t directions = directions_of(values_.size());
    std::vector<double> result = values_;
    for (std::size_t axis = 0; axis < directions; ++axis) {
        // Rows of three values along the last direction become columns of the first, so that all come round.
        const std::size_t rows = result.size() / nodes.size();
        std::vector<double> finer;
        finer.reserve(rows * strata[directions].size());
        for (const double x : strata[directions]) {
            const auto [below, share] = place_of(x);
            for (std::size_t row = 0; row < rows; ++row)
                finer.push_back(between(result[3 * row + below], result[3 * row + below + 1], share));
        }
        result = std::move(finer);
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
