#include "model/cost/rank_constants.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

FormFeatures features(const Operator& op, const GpuPeaks&) {
    return {{std::log(op.work.message.value()), std::log(static_cast<double>(op.ranks))}, 2};
}

std::string_view path(const Operator&) {
    return "";
}

}  // namespace

double at_ranks(std::span<const double> values, double ranks) {
    const double at = std::clamp(std::log2(ranks) - 1.0, 0.0, static_cast<double>(constant_rank_count - 1));
    const auto below = std::min(static_cast<std::size_t>(at), constant_rank_count - 2);
    const double share = at - static_cast<double>(below);
    return values[below] * std::pow(values[below + 1] / values[below], share);
}

KernelForm form_by_ranks(std::string_view collective) {
    return {.kernel = collective,
            .constants = {{"latency_2", "s", 1.2e-5, 5e-7, 1e-3, 1.0},
                          {"latency_4", "s", 1.5e-5, 5e-7, 1e-3, 1.0},
                          {"latency_8", "s", 2e-5, 5e-7, 1e-3, 1.0},
                          {"latency_16", "s", 4e-5, 5e-7, 1e-3, 1.0},
                          {"bandwidth_2", "B/s", 5e10, 1e8, 1e12, 2.0},
                          {"bandwidth_4", "B/s", 5e10, 1e8, 1e12, 2.0},
                          {"bandwidth_8", "B/s", 5e10, 1e8, 1e12, 2.0},
                          {"bandwidth_16", "B/s", 1e10, 1e8, 1e12, 2.0}},
            .feature_names = {"bytes", "ranks"},
            .features = features,
            .path = path};
}

}  // namespace plimsoll
