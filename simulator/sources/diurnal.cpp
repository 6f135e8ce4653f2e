#include <numbers>
#include <numeric>

#include "simulator/open_source.hpp"
#include "simulator/rate_curve.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t sine_points = 96;  ///< a day by quarters of an hour: the chords lie within 0.1 % of the sine

std::vector<double> factors_of(const RateShape& shape) {
    if (!shape.factors.empty()) return shape.factors;
    std::vector<double> factors(sine_points);
    for (std::size_t i = 0; i < sine_points; ++i)
        factors[i] = 1.0 - (shape.peak - 1.0) * std::cos(2.0 * std::numbers::pi * static_cast<double>(i) / sine_points);
    return factors;
}

std::vector<RateSegment> segments_of(const LoadPlan& plan) {
    const std::vector<double> factors = factors_of(plan.shape);
    const auto count = static_cast<double>(factors.size());
    const PerSecond unit = plan.rate * (count / std::accumulate(factors.begin(), factors.end(), 0.0));
    std::vector<RateSegment> segments;
    for (std::size_t i = 0; i < factors.size(); ++i)
        segments.push_back({.length = plan.shape.period / count,
                            .from = unit * factors[i],
                            .to = unit * factors[(i + 1) % factors.size()]});
    return segments;
}

std::optional<std::string> refusal(const LoadPlan& plan) {
    if (auto why = rate_refusal(plan)) return why;
    const RateShape& shape = plan.shape;
    if (!(shape.period > Seconds{})) return "the period must be above 0";
    if (shape.factors.empty() && !(shape.peak >= 1.0 && shape.peak <= 2.0))
        return "the peak must be 1 to 2 times the mean";
    double sum = 0;
    for (const double factor : shape.factors) {
        if (!(factor >= 0)) return "a factor of the rate must not be negative";
        sum += factor;
    }
    if (!shape.factors.empty() && !(sum > 0)) return "some factor of the rate must be above 0";
    return std::nullopt;
}

}  // namespace

void register_diurnal(Registry<LoadKind>& kinds) {
    kinds.add("diurnal", {.description = "Poisson arrivals whose rate follows a curve that repeats, least at its start",
                          .refusal = refusal,
                          .make = [](const LoadPlan& plan) -> std::unique_ptr<Source> {
                              return std::make_unique<OpenSource<CurveArrivals>>(
                                  plan, CurveArrivals(segments_of(plan), plan.seed));
                          }});
}

}  // namespace plimsoll
