// t = latency(p) + S / bandwidth(p), S what a rank sends to all others together: each byte goes straight to its rank.
// Latency and bandwidth for each rank count; between those that have constants, logarithms are interpolated.
#include <cmath>

#include "model/cost/kernel_form.hpp"
#include "model/cost/rank_constants.hpp"

namespace plimsoll {
namespace {

KernelParts time(const Operator& op, const GpuPeaks&, std::span<const double> c) {
    constexpr std::size_t counts = constant_rank_count;
    return {.launch = Seconds(at_ranks(c.subspan(0, counts), op.ranks)),
            .compute = Seconds(0),
            .memory = op.work.message / BytesPerSecond(at_ranks(c.subspan(counts, counts), op.ranks))};
}

FormFeatures features(const Operator& op, const GpuPeaks&) {
    return {{std::log(op.work.message.value()), std::log(static_cast<double>(op.ranks))}, 2};
}

std::string_view path(const Operator&) {
    return "";
}

}  // namespace

void register_all_to_all(Registry<KernelForm>& registry) {
    registry.add("all_to_all", {.kernel = "all_to_all",
                                .constants = {{"latency_2", "s", 1.2e-5, 5e-7, 1e-3, 1.0},
                                              {"latency_4", "s", 1.5e-5, 5e-7, 1e-3, 1.0},
                                              {"latency_8", "s", 2e-5, 5e-7, 1e-3, 1.0},
                                              {"latency_16", "s", 4e-5, 5e-7, 1e-3, 1.0},
                                              {"bandwidth_2", "B/s", 5e10, 1e8, 1e12, 2.0},
                                              {"bandwidth_4", "B/s", 5e10, 1e8, 1e12, 2.0},
                                              {"bandwidth_8", "B/s", 5e10, 1e8, 1e12, 2.0},
                                              {"bandwidth_16", "B/s", 1e10, 1e8, 1e12, 2.0}},
                                .time = time,
                                .feature_names = {"bytes", "ranks"},
                                .features = features,
                                .path = path});
}

}  // namespace plimsoll
