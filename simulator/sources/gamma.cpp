#include "simulator/open_source.hpp"

namespace plimsoll {
namespace {

/// A standard normal number (Marsaglia's polar method), the second one left unused so that no state is kept.
double normal(RandomStream& stream) {
    for (;;) {
        const double x = 2.0 * stream.uniform() - 1.0, y = 2.0 * stream.uniform() - 1.0, s = x * x + y * y;
        if (s < 1.0 && s > 0.0) return x * std::sqrt(-2.0 * std::log(s) / s);
    }
}

/// Gamma law of mean 1 (Marsaglia, Tsang 2000); a shape below 1 is drawn at shape + 1 and scaled by U^(1/shape).
struct GammaLaw {
    explicit GammaLaw(double cv)
        : shape(1.0 / (cv * cv)), d((shape < 1.0 ? shape + 1.0 : shape) - 1.0 / 3.0), c(1.0 / std::sqrt(9.0 * d)) {}

    double operator()(RandomStream& stream) const {
        const double boost = shape < 1.0 ? std::pow(stream.uniform(), 1.0 / shape) : 1.0;
        for (;;) {
            const double x = normal(stream), root = 1.0 + c * x;
            if (root <= 0.0) continue;
            const double v = root * root * root;
            if (std::log(stream.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return boost * d * v / shape;
        }
    }

    double shape, d, c;
};

}  // namespace

void register_gamma(Registry<LoadKind>& kinds) {
    kinds.add("gamma", {.description = "gamma distributed times between arrivals, by their coefficient of variation",
                        .refusal = rate_refusal,
                        .make = [](const LoadPlan& plan) { return renewal_source(plan, GammaLaw(plan.cv)); }});
}

}  // namespace plimsoll
