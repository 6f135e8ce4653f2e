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

std::vector<Place> normal_strata(std::size_t strata) {
    std::vector<Place> result;
    for (std::size_t i = 0; i < strata; ++i)
        result.push_back(place_of(normal_quantile((static_cast<double>(i) + 0.5) / static_cast<double>(strata))));
    return result;
}

/// How many directions so many values are known along.
std::size_t directions_of(std::size_t values) {
    return values == 1 ? 0 : values == 3 ? 1 : values == 9 ? 2 : 3;
}

/// Between the two values that lie there in order; changes the order.
double percentile(std::vector<double>& values, double share) {
    const double last = static_cast<double>(values.size() - 1);
    const double place = std::clamp(share * static_cast<double>(values.size()) - 0.5, 0.0, last);
    const double whole = std::floor(place);
    const auto below = values.begin() + static_cast<std::ptrdiff_t>(whole);
    std::nth_element(values.begin(), below, values.end());
    const auto above = below + 1 == values.end() ? below : std::min_element(below + 1, values.end());
    return between(*below, *above, place - whole);
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

/// One direction after the other, the last first, so that nearly all of the work is one line a draw.
std::vector<double> Surface::draws() const {
    static const std::vector<Place> many = normal_strata(strata_of_two), few = normal_strata(strata_of_three);
    const std::size_t directions = directions_of(values_.size());
    const std::vector<Place>& places = directions < 3 ? many : few;
    std::vector<double> result = values_;
    std::size_t drawn = 1;  // points of the directions that are done
    for (std::size_t axis = 0; axis < directions; ++axis) {
        std::vector<double> finer;
        finer.reserve(result.size() / nodes.size() * places.size());
        for (std::size_t block = 0; block < result.size(); block += nodes.size() * drawn)
            for (const auto& [below, share] : places)
                for (std::size_t i = block + below * drawn; i < block + (below + 1) * drawn; ++i)
                    finer.push_back(between(result[i], result[i + drawn], share));
        result = std::move(finer);
        drawn *= places.size();
    }
    return result;
}

Interval Surface::middle_80_percent() const {
    std::vector<double> values = draws();
    const double low = percentile(values, 0.1);
    return {low, percentile(values, 0.9)};
}

double Surface::probability_of_at_most(double limit) const {
    const std::vector<double> values = draws();
    const auto within = std::count_if(values.begin(), values.end(), [=](double value) { return value <= limit; });
    return static_cast<double>(within) / static_cast<double>(values.size());
}

}  // namespace plimsoll
