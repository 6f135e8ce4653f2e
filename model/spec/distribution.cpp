#include "model/spec/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "model/base/error.hpp"
#include "model/base/normal.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

constexpr int point_count = 512;
constexpr double unlimited = std::numeric_limits<double>::infinity();

/// Regularized lower incomplete gamma function P(a, x), by its power series.
double gamma_probability(double a, double x) {
    if (x <= 0) return 0.0;
    double term = std::exp(a * std::log(x) - x - std::lgamma(a + 1.0));
    double sum = term;
    for (int n = 1; n < 2000 && term > 1e-17 * sum; ++n) sum += term *= x / (a + n);
    return std::min(sum, 1.0);
}

double gamma_quantile(double shape, double u) {
    double low = 0.0, high = shape + 10.0 * std::sqrt(shape) + 40.0;
    for (int i = 0; i < 60; ++i) {
        const double middle = 0.5 * (low + high);
        (gamma_probability(shape, middle) < u ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

/// A value, its law's unit-mean quantile function, and the clamps.
struct Shape {
    std::function<double(double)> unit_quantile;
    double mean, least, most;
};

std::vector<double> clamped_points(const Shape& shape) {
    std::vector<double> unit(point_count), points(point_count);
    for (int i = 0; i < point_count; ++i)
        unit[static_cast<std::size_t>(i)] = shape.unit_quantile((i + 0.5) / point_count);
    const auto fill = [&](double scale) {
        std::transform(unit.begin(), unit.end(), points.begin(),
                       [&](double q) { return std::clamp(q * scale, shape.least, shape.most); });
        return std::accumulate(points.begin(), points.end(), 0.0) / point_count;
    };
    double low = 0.0, high = shape.mean;
    for (int i = 0; i < 200 && fill(high) < shape.mean; ++i) high *= 2.0;
    for (int i = 0; i < 100; ++i) {
        const double middle = 0.5 * (low + high);
        (fill(middle) < shape.mean ? low : high) = middle;
    }
    fill(high);
    return points;
}

}  // namespace

/// Reads "kind:key=value,..." with values through `value_of`.
struct Distribution::Reader {
    std::function<double(std::string_view, const std::string&)> value_of;
    double least;
    const std::string& place;
    std::map<std::string, std::string> values = {};

    [[nodiscard]] double take(const std::string& key) {
        const auto found = values.find(key);
        if (found == values.end()) throw InputError(place, "'" + key + "=' is missing");
        const double value = key == "cv" ? parse_number(found->second, place) : value_of(found->second, place);
        values.erase(found);
        return value;
    }
    [[nodiscard]] double take_or(const std::string& key, double fallback) {
        return values.count(key) ? take(key) : fallback;
    }
    void split(std::string_view text) {
        if (!text.empty() && text.back() == ',') throw InputError(place, "expected key=value after the last comma");
        while (!text.empty()) {
            const std::string_view part = text.substr(0, text.find(','));
            text.remove_prefix(std::min(text.size(), part.size() + 1));
            const std::size_t equals = part.find('=');
            if (equals == std::string_view::npos)
                throw InputError(place, "expected key=value, got '" + std::string(part) + "'");
            if (!values.emplace(part.substr(0, equals), part.substr(equals + 1)).second)
                throw InputError(place, "'" + std::string(part.substr(0, equals)) + "=' stands twice");
        }
    }

    [[nodiscard]] Distribution one_value(std::string_view text) {
        const double value = value_of(text, place);
        if (value < least) throw InputError(place, "'" + std::string(text) + "' is too small");
        return fixed(value);
    }

    [[nodiscard]] Distribution read(std::string_view text) {
        const std::size_t colon = text.find(':');
        if (colon == std::string_view::npos) return one_value(text);
        const std::string kind(text.substr(0, colon));
        const std::vector<std::string> laws{"fixed", "uniform", "lognormal", "gamma", "geometric", "exponential"};
        if (std::find(laws.begin(), laws.end(), kind) == laws.end())
            throw InputError(place, unknown_name("law", kind, laws));
        if (kind == "fixed") return one_value(text.substr(colon + 1));
        split(text.substr(colon + 1));
        Distribution result = kind == "uniform" ? read_uniform() : Distribution(clamped_points(read_shape(kind)));
        if (!values.empty()) throw InputError(place, "unknown '" + values.begin()->first + "=' for a " + kind + " law");
        return result;
    }

    [[nodiscard]] Distribution read_uniform() {
        const double low = take("min"), high = take("max");
        if (low < least || high < low) throw InputError(place, "a uniform law needs min <= max, and min not too small");
        return uniform(low, high);
    }

    [[nodiscard]] Shape read_shape(const std::string& kind) {
        Shape shape{.unit_quantile = {},
                    .mean = take("mean"),
                    .least = take_or("min", least),
                    .most = take_or("max", unlimited)};
        if (kind == "lognormal" || kind == "gamma") {
            const double cv = take("cv");
            if (!(cv >= 0.01 && cv <= 10))
                throw InputError(place, "cv must be between 0.01 and 10; less is a fixed value");
            const double sigma2 = std::log1p(cv * cv);
            if (kind == "lognormal")
                shape.unit_quantile = [sigma2](double u) {
                    return std::exp(std::sqrt(sigma2) * normal_quantile(u) - 0.5 * sigma2);
                };
            else
                shape.unit_quantile = [k = 1.0 / (cv * cv)](double u) { return gamma_quantile(k, u) / k; };
        } else {
            shape.unit_quantile = [](double u) { return -std::log1p(-u); };
        }
        if (shape.least < least) throw InputError(place, "'min=' is too small");
        if (!(shape.mean > 0) || shape.mean < shape.least || shape.mean > shape.most)
            throw InputError(place, "the mean must be positive and lie between min and max");
        return shape;
    }
};

Distribution::Distribution(std::vector<double> points) : points_(std::move(points)) {
    PLIMSOLL_ASSERT(!points_.empty());
    const double n = static_cast<double>(points_.size());
    mean_ = std::accumulate(points_.begin(), points_.end(), 0.0) / n;
    second_moment_ = std::inner_product(points_.begin(), points_.end(), points_.begin(), 0.0) / n;
}

Distribution Distribution::fixed(double value) {
    return Distribution(std::vector<double>{value});
}

Distribution Distribution::uniform(double least, double most) {
    std::vector<double> points(point_count);
    for (std::size_t i = 0; i < points.size(); ++i)
        points[i] = least + (most - least) * (static_cast<double>(i) + 0.5) / point_count;
    return Distribution(std::move(points));
}

Distribution Distribution::parse_tokens(std::string_view text, const std::string& place) {
    Distribution result = Reader{parse_number, 1.0, place}.read(text);
    if (result.points_.back() > 1e9) throw InputError(place, "lengths above 1e9 tokens make no sense");
    result.text_ = text;
    return result;
}

Distribution Distribution::parse_seconds(std::string_view text, const std::string& place) {
    const auto seconds = [](std::string_view part, const std::string& at) {
        return parse_quantity<Seconds>(part, at).value();
    };
    Distribution result = Reader{seconds, 0.0, place}.read(text);
    if (result.points_.back() > 1e9) throw InputError(place, "times above 1e9 s make no sense");
    result.text_ = text;
    return result;
}

Distribution Distribution::with_mean(double mean) const {
    PLIMSOLL_ASSERT(mean_ > 0);
    std::vector<double> points = points_;
    for (double& point : points) point *= mean / mean_;
    Distribution result(std::move(points));
    result.text_ = text_ + " scaled to mean " + std::to_string(mean);
    return result;
}

Distribution Distribution::shifted(double by) const {
    std::vector<double> points = points_;
    for (double& point : points) point += by;
    return Distribution(std::move(points));
}

Distribution Distribution::pooled(const std::vector<std::pair<double, Distribution>>& parts) {
    PLIMSOLL_ASSERT(!parts.empty());
    if (parts.size() == 1) return parts.front().second;
    struct Mass {
        double value, weight;
    };
    std::vector<Mass> masses;
    double total = 0;
    for (const auto& [weight, law] : parts) {
        total += weight;
        for (const double point : law.points_)
            masses.push_back({point, weight / static_cast<double>(law.points_.size())});
    }
    std::stable_sort(masses.begin(), masses.end(), [](const Mass& a, const Mass& b) { return a.value < b.value; });
    std::vector<double> points;
    const double slice = total / point_count;
    double room = slice, sum = 0;
    for (Mass& mass : masses) {
        while (mass.weight > room && points.size() + 1 < point_count) {
            points.push_back((sum + mass.value * room) / slice);
            mass.weight -= room;
            room = slice;
            sum = 0;
        }
        sum += mass.value * mass.weight;
        room -= mass.weight;
    }
    // What rounding left over belongs to the last slice.
    points.push_back(sum / (slice - room));
    return Distribution(std::move(points));
}

double Distribution::quantile(double u) const {
    const double position = u * static_cast<double>(points_.size()) - 0.5;
    if (position <= 0) return points_.front();
    const auto index = static_cast<std::size_t>(position);
    if (index + 1 >= points_.size()) return points_.back();
    const double share = position - static_cast<double>(index);
    return points_[index] * (1.0 - share) + points_[index + 1] * share;
}

}  // namespace plimsoll
