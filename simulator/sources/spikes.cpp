#include "simulator/open_source.hpp"
#include "simulator/rate_curve.hpp"

namespace plimsoll {
namespace {

std::vector<RateSegment> segments_of(const LoadPlan& plan) {
    const RateShape& shape = plan.shape;
    const PerSecond high = plan.rate * shape.spike_factor;
    return {{.length = shape.period - shape.spike, .from = plan.rate, .to = plan.rate},
            {.length = shape.spike, .from = high, .to = high}};
}

std::optional<std::string> refusal(const LoadPlan& plan) {
    if (auto why = rate_refusal(plan)) return why;
    if (!(plan.shape.spike > Seconds{}) || !(plan.shape.spike < plan.shape.period))
        return "a spike must be shorter than the period and longer than 0";
    if (!(plan.shape.spike_factor >= 1.0)) return "the spike's factor must be at least 1";
    return std::nullopt;
}

}  // namespace

void register_spikes(Registry<LoadKind>& kinds) {
    kinds.add("spikes",
              {.description = "Poisson arrivals at a base rate, and a multiple of it at the end of each period",
               .refusal = refusal,
               .make = [](const LoadPlan& plan) -> std::unique_ptr<Source> {
                   return std::make_unique<OpenSource<CurveArrivals>>(plan,
                                                                      CurveArrivals(segments_of(plan), plan.seed));
               }});
}

}  // namespace plimsoll
