#include "simulator/open_source.hpp"

namespace plimsoll {
namespace {

/// Arrival n at n / rate, without the error of a running sum.
struct ConstantArrivals {
    Seconds gap{};
    std::uint64_t count = 0;
    Seconds next() { return gap * static_cast<double>(++count); }
};

}  // namespace

void register_constant(Registry<LoadKind>& kinds) {
    kinds.add("constant", {.description = "arrivals at equal distances",
                           .refusal = rate_refusal,
                           .make = [](const LoadPlan& plan) -> std::unique_ptr<Source> {
                               return std::make_unique<OpenSource<ConstantArrivals>>(
                                   plan, ConstantArrivals{.gap = 1.0 / plan.rate});
                           }});
}

}  // namespace plimsoll
