#include "model/capacity/percentiles.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/base/error.hpp"
#include "model/base/normal.hpp"

namespace plimsoll {

namespace {

constexpr std::size_t most_groups = 32;
constexpr std::size_t most_slices = 64;
/// The cube fails for laws wider than this squared coefficient of variation: they get an atom at 0 and a component of
/// this width, with the same mean and variance.
constexpr double widest_cv2 = 4.0;
/// Narrower laws are atoms: their slices would differ by rounding alone.
constexpr double narrowest_cv2 = 1e-20;

/// Slices of the standard normal law: the share above the last j of m slices is (j / m)^2.
struct Slices {
    std::vector<double> weight;
    /// The quantile at the middle of each slice's probability.
    std::vector<double> deviate;
};

Slices make_slices(std::size_t count) {
    Slices slices;
    double above = 1.0;
    for (std::size_t left = count; left-- > 0;) {
        const double share = static_cast<double>(left) / static_cast<double>(count);
        const double next = share * share;
        slices.weight.push_back(above - next);
        slices.deviate.push_back(-normal_quantile(0.5 * (above + next)));
        above = next;
    }
    return slices;
}

/// Heavy components get many slices, light ones few: 64 down to 8.
const Slices& slices_for(double share) {
    static const std::array<Slices, 4> tables{make_slices(8), make_slices(16), make_slices(32), make_slices(64)};
    if (share < 0.03) return tables[0];
    if (share < 0.1) return tables[1];
    return share < 0.3 ? tables[2] : tables[3];
}

/// Gives the values the mean and the second moment wanted by scaling all but the highest down and moving that one up:
/// a M + w t = mean, a^2 S + w t^2 = square, for the factor a, the highest value t and its weight w.
void raise_highest(std::span<const double> weight, std::span<double> value, double mean, double square) {
    const std::size_t last = value.size() - 1;
    double first_moment = 0.0;
    double second_moment = 0.0;
    for (std::size_t i = 0; i < last; ++i) {
        first_moment += weight[i] * value[i];
        second_moment += weight[i] * value[i] * value[i];
    }
    const double w = weight[last];
    const double ratio = second_moment / (first_moment * first_moment);
    const double quadratic = w * (1.0 + w * ratio);
    const double half_linear = mean * w * ratio;
    const double constant = mean * mean * ratio - square;
    value[last] = (half_linear + std::sqrt(half_linear * half_linear - quadratic * constant)) / quadratic;
    for (std::size_t i = 0; i < last; ++i) value[i] *= (mean - w * value[last]) / first_moment;
}

/// Values of one component at the slices: the Wilson-Hilferty cube mean (1 - c + z sqrt(c))^3, c = cv^2 / 9, moved and
/// stretched to the component's mean and variance, or, where that would go below 0, with its highest value raised.
void slice_values(const Component& component, const Slices& slices, std::span<double> value) {
    const double c = component.variance / (9.0 * component.mean * component.mean);
    const double spread = std::sqrt(c);
    double mean = 0.0;
    double variance = 0.0;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const double root = std::max(0.0, 1.0 - c + slices.deviate[i] * spread);
        value[i] = root * root * root;
        mean += slices.weight[i] * value[i];
    }
    for (std::size_t i = 0; i < value.size(); ++i) variance += slices.weight[i] * (value[i] - mean) * (value[i] - mean);
    const double stretch = std::sqrt(component.variance / variance);
    if (component.mean + (value[0] - mean) * stretch >= 0.0)
        for (double& v : value) v = component.mean + (v - mean) * stretch;
    else
        raise_highest(slices.weight, value, component.mean, component.mean * component.mean + component.variance);
}

}  // namespace

void PercentileTable::expand(std::span<const Component> components) {
    const double per_weight = 1.0 / merged_.weight();
    std::array<double, most_slices> value{};
    unsorted_.clear();
    for (Component component : components) {
        const Slices& slices = slices_for(component.weight * per_weight);
        const std::span<double> values(value.data(), slices.weight.size());
        const double cv2 = component.variance > 0.0 ? component.variance / (component.mean * component.mean) : 0.0;
        if (cv2 > widest_cv2) {
            const double share = (1.0 + widest_cv2) / (1.0 + cv2);
            unsorted_.push_back({0.0, component.weight * (1.0 - share)});
            const double mean = component.mean / share;
            component = {component.weight * share, mean, widest_cv2 * mean * mean};
        }
        if (cv2 > narrowest_cv2)
            slice_values(component, slices, values);
        else
            value.fill(component.mean);
        for (std::size_t i = 0; i < values.size(); ++i)
            unsorted_.push_back({values[i], component.weight * slices.weight[i]});
    }
}

/// Distributes the points over buckets of equal width and sorts each: about linear time for latencies.
void PercentileTable::sort() {
    const auto by_value = [](const Point& a, const Point& b) { return a.value < b.value; };
    const auto [least, most] = std::minmax_element(unsorted_.begin(), unsorted_.end(), by_value);
    const std::size_t buckets = unsorted_.size();
    const double start = least->value;
    const double width = most->value - start;
    const double per_value = width > 0.0 ? static_cast<double>(buckets - 1) / width : 0.0;
    const auto bucket_of = [=](const Point& p) { return static_cast<std::size_t>((p.value - start) * per_value); };
    bucket_ends_.assign(buckets + 1, 0);
    for (const Point& p : unsorted_) ++bucket_ends_[bucket_of(p) + 1];
    for (std::size_t b = 0; b < buckets; ++b) bucket_ends_[b + 1] += bucket_ends_[b];
    points_.resize(unsorted_.size());
    for (const Point& p : unsorted_) points_[bucket_ends_[bucket_of(p)]++] = p;
    for (std::size_t b = 0, begin = 0; b < buckets; begin = bucket_ends_[b++])
        std::sort(points_.begin() + static_cast<std::ptrdiff_t>(begin),
                  points_.begin() + static_cast<std::ptrdiff_t>(bucket_ends_[b]), by_value);
}

void PercentileTable::build(const Mixture& mixture) {
    merged_ = mixture;
    if (merged_.empty()) merged_.add(1.0, Seconds(0.0));
    merged_.merge(most_groups);
    expand(merged_.components());
    sort();
    double total = 0.0;
    double sum = 0.0;
    for (const Point& p : points_) {
        total += p.level;
        sum += p.level * p.value;
    }
    mean_ = sum / total;
    variance_ = 0.0;
    double below = 0.0;
    for (Point& p : points_) {
        const double weight = p.level / total;
        variance_ += weight * (p.value - mean_) * (p.value - mean_);
        p.level = below + 0.5 * weight;
        below += weight;
    }
}

Seconds PercentileTable::at(double q) const {
    PLIMSOLL_ASSERT(q >= 0.0 && q <= 1.0 && !points_.empty());
    const auto next = std::lower_bound(points_.begin(), points_.end(), q,
                                       [](const Point& p, double level) { return p.level < level; });
    if (next == points_.begin()) return Seconds(points_.front().value);
    if (next == points_.end()) return Seconds(points_.back().value);
    const Point& low = *(next - 1);
    const double part = (q - low.level) / (next->level - low.level);
    return Seconds(low.value + part * (next->value - low.value));
}

double PercentileTable::share_within(Seconds limit) const {
    PLIMSOLL_ASSERT(!points_.empty());
    const auto next = std::upper_bound(points_.begin(), points_.end(), limit.value(),
                                       [](double value, const Point& p) { return value < p.value; });
    if (next == points_.begin()) return 0.0;
    if (next == points_.end()) return 1.0;
    const Point& low = *(next - 1);
    const double part = (limit.value() - low.value) / (next->value - low.value);
    return low.level + part * (next->level - low.level);
}

Seconds PercentileTable::mean() const {
    return Seconds(mean_);
}

SecondsSquared PercentileTable::variance() const {
    return SecondsSquared(variance_);
}

void read_percentiles(const Mixture& mixture, Seconds mean, Percentiles& result) {
    PercentileTable table;
    table.build(mixture);
    result[Statistic::mean] = mean;
    result[Statistic::p50] = table.at(0.50);
    result[Statistic::p90] = table.at(0.90);
    result[Statistic::p95] = table.at(0.95);
    result[Statistic::p99] = table.at(0.99);
}

}  // namespace plimsoll
