#include "simulator/open_source.hpp"

namespace plimsoll {

void register_poisson(Registry<LoadKind>& kinds) {
    kinds.add(
        "poisson",
        {.description = "independent arrivals at a rate", .refusal = rate_refusal, .make = [](const LoadPlan& plan) {
             return renewal_source(plan, [](RandomStream& stream) { return stream.exponential(); });
         }});
}

}  // namespace plimsoll
