#include "simulator/open_source.hpp"

namespace plimsoll {
namespace {

/// Squared coefficient of variation plus one of a Weibull law: gamma(1 + 2/k) / gamma(1 + 1/k)^2.
double log_second_moment(double shape) {
    return std::lgamma(1.0 + 2.0 / shape) - 2.0 * std::lgamma(1.0 + 1.0 / shape);
}

/// The shape of a coefficient of variation, which falls with it; bisected on the logarithm.
double weibull_shape(double cv) {
    double low = std::log(0.05), high = std::log(1e4);
    for (int i = 0; i < 100; ++i) {
        const double middle = 0.5 * (low + high);
        (log_second_moment(std::exp(middle)) > std::log1p(cv * cv) ? low : high) = middle;
    }
    return std::exp(high);
}

/// Weibull law of mean 1 by inversion: E^(1/k) / gamma(1 + 1/k) of an exponential E.
struct WeibullLaw {
    explicit WeibullLaw(double cv) : power(1.0 / weibull_shape(cv)), scale(std::exp(-std::lgamma(1.0 + power))) {}
    double operator()(RandomStream& stream) const { return scale * std::pow(stream.exponential(), power); }
    double power, scale;
};

}  // namespace

void register_weibull(Registry<LoadKind>& kinds) {
    kinds.add("weibull",
              {.description = "Weibull distributed times between arrivals, by their coefficient of variation",
               .refusal = rate_refusal,
               .make = [](const LoadPlan& plan) { return renewal_source(plan, WeibullLaw(plan.cv)); }});
}

}  // namespace plimsoll
