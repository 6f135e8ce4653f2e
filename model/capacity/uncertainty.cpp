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
/// Draws of up to three normal numbers: a lattice rule (Korobov 1959), draw i at the parts of i g^k / count beyond
/// whole numbers, so that each number alone takes so many strata, however little the others count. The generator is the
/// best of all at the percentiles of 100 sums of three: within 0.03 deviations of the law's.
constexpr std::size_t draw_count = 1021, generator = 82;

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

struct Draws {
    std::vector<Surface::Point> points{draw_count};
    std::vector<double> apart = std::vector<double>(draw_count);  ///< one number more
    Draws() {
        std::vector<double> strata(draw_count);
        for (std::size_t i = 0; i < draw_count; ++i)
            strata[i] = normal_quantile((static_cast<double>(i) + 0.5) / draw_count);
        for (std::size_t i = 0; i < draw_count; ++i) {
            std::size_t stratum = i;
            for (double& value : points[i]) {
                value = strata[stratum];
                stratum = stratum * generator % draw_count;
            }
            apart[i] = strata[stratum];
        }
    }
};

const Draws& all_draws() {
    static const Draws draws;
    return draws;
}

const std::vector<Surface::Point>& all_drawn_points() {
    return all_draws().points;
}

/// The corners of the cell in which a draw lies, by their place among the values, and what each counts.
struct Cell {
    std::array<std::size_t, 8> corners{};
    std::array<double, 8> weights{1.0};
};

std::vector<Cell> cells_of(std::size_t directions) {
    std::vector<Cell> result;
    for (const Surface::Point& point : all_drawn_points()) {
        Cell cell;
        for (std::size_t axis = 0, count = 1; axis < directions; ++axis, count *= 2) {
            const auto [below, share] = place_of(point[axis]);
            for (std::size_t i = 0; i < count; ++i) {
                cell.corners[i] = nodes.size() * cell.corners[i] + below;
                cell.corners[count + i] = cell.corners[i] + 1;
                cell.weights[count + i] = cell.weights[i] * share;
                cell.weights[i] *= 1.0 - share;
            }
        }
        result.push_back(cell);
    }
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
        constexpr double negligible = 1e-3;  // of the variance: widens the whole by a two thousandth
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

std::vector<double> Surface::draws() const {
    static const std::array<std::vector<Cell>, 4> cells{cells_of(0), cells_of(1), cells_of(2), cells_of(3)};
    std::vector<double> result(draw_count);
    const std::size_t directions = directions_of(values_.size());
    const auto later = [this](double value, std::size_t draw) {
        if (delay_ <= Seconds(0)) return value;
        return rank_of_latency(latency_of_rank(value) +
                               delay_.value() * std::exp(deviation_ * all_draws().apart[draw]));
    };
    const bool finite = std::all_of(values_.begin(), values_.end(), [](double value) { return std::isfinite(value); });
    for (std::size_t i = 0; i < draw_count; ++i) {
        if (!finite) {
            result[i] = later(at(all_drawn_points()[i]), i);
            continue;
        }
        const Cell& cell = cells[directions][i];
        for (std::size_t corner = 0; corner < std::size_t{1} << directions; ++corner)
            result[i] += cell.weights[corner] * values_[cell.corners[corner]];
        result[i] = later(result[i], i);
    }
    return result;
}

Surface Surface::delayed(Seconds median, double deviation) const {
    Surface sum = *this;
    sum.delay_ = median;
    sum.deviation_ = deviation;
    return sum;
}

double Surface::quantile(double share) const {
    std::vector<double> values = draws();
    return percentile(values, share);
}

Interval Surface::middle_80_percent() const {
    std::vector<double> values = draws();
    const double low = percentile(values, 0.1);
    return {low, percentile(values, 0.9)};
}

double Surface::probability_of_at_most(double limit) const {
    return plimsoll::probability_of_at_most(std::span(this, 1), std::span(&limit, 1));
}

double probability_of_at_most(std::span<const Surface> surfaces, std::span<const double> limits) {
    PLIMSOLL_ASSERT(surfaces.size() == limits.size());
    if (surfaces.empty()) return 1.0;
    std::vector<double> farthest;  // above its limit, at each draw
    for (std::size_t i = 0; i < surfaces.size(); ++i) {
        std::vector<double> values = surfaces[i].draws();
        farthest.resize(values.size(), -HUGE_VAL);
        for (std::size_t draw = 0; draw < values.size(); ++draw)
            farthest[draw] = std::max(farthest[draw], values[draw] - limits[i]);
    }
    const auto within = std::count_if(farthest.begin(), farthest.end(), [](double value) { return value <= 0.0; });
    return static_cast<double>(within) / static_cast<double>(farthest.size());
}

}  // namespace plimsoll
