// t = latency(p) + S' / bandwidth(p) + mid (S' / 1 MB)^w, S' = 2 (p - 1) / p S what a ring moves over each link:
// latency and bus bandwidth for each rank count, and one term that they share for the messages between, where the
// library's protocols change. Between the rank counts that have constants, logarithms are interpolated.
#include <cmath>

#include "model/cost/collective.hpp"
#include "model/cost/kernel_form.hpp"
#include "model/cost/rank_constants.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t counts = constant_rank_count;
constexpr std::size_t mid = 2 * counts, mid_exponent = mid + 1;

KernelParts time(const Operator& op, const GpuPeaks&, std::span<const double> c) {
    const double moved = ring_all_reduce_bytes(op.work.message, op.ranks).value();
    const double between = c[mid] * std::pow(moved / 1e6, c[mid_exponent]);
    return {.launch = Seconds(at_ranks(c.subspan(0, counts), op.ranks) + between),
            .compute = Seconds(0),
            .memory = Seconds(moved / at_ranks(c.subspan(counts, counts), op.ranks))};
}

FormFeatures features(const Operator& op, const GpuPeaks&) {
    return {{std::log(op.work.message.value()), std::log(static_cast<double>(op.ranks))}, 2};
}

std::string_view path(const Operator&) {
    return "";
}

}  // namespace

void register_all_reduce(Registry<KernelForm>& registry) {
    registry.add("all_reduce", {.kernel = "all_reduce",
                                .constants = {{"latency_2", "s", 1.2e-5, 5e-7, 1e-3, 1.0},
                                              {"latency_4", "s", 1.5e-5, 5e-7, 1e-3, 1.0},
                                              {"latency_8", "s", 2e-5, 5e-7, 1e-3, 1.0},
                                              {"latency_16", "s", 4e-5, 5e-7, 1e-3, 1.0},
                                              {"bandwidth_2", "B/s", 5e10, 1e8, 1e12, 2.0},
                                              {"bandwidth_4", "B/s", 5e10, 1e8, 1e12, 2.0},
                                              {"bandwidth_8", "B/s", 5e10, 1e8, 1e12, 2.0},
                                              {"bandwidth_16", "B/s", 1e10, 1e8, 1e12, 2.0},
                                              {"mid", "s", 5e-6, 1e-8, 1e-3, 1.5},
                                              {"mid_exponent", "", 0.6, 0.2, 0.95, 0.3}},
                                .time = time,
                                .feature_names = {"bytes", "ranks"},
                                .features = features,
                                .path = path});
}

}  // namespace plimsoll
