// t = t0 + bytes / (W em).
#include <cmath>

#include "model/cost/kernel_form.hpp"

namespace plimsoll {
namespace {

enum Constant { memory_efficiency, launch };

KernelParts time(const Operator& op, const GpuPeaks& peaks, std::span<const double> c) {
    return {.launch = Seconds(c[launch]),
            .compute = Seconds(0),
            .memory = (op.work.bytes_read + op.work.bytes_written) / (peaks.memory * c[memory_efficiency])};
}

FormFeatures features(const Operator& op) {
    return {{std::log((op.work.bytes_read + op.work.bytes_written).value())}, 1};
}

std::string_view path(const Operator&) {
    return "";
}

}  // namespace

void register_elementwise(Registry<KernelForm>& registry) {
    registry.add("elementwise", {.kernel = "elementwise",
                                 .constants = {{"memory_efficiency", "", 0.75, 0.05, 2.0, 0.3},
                                               {"launch", "s", 3e-6, 2e-7, 1e-4, 0.7}},
                                 .time = time,
                                 .feature_names = {"bytes"},
                                 .features = features,
                                 .path = path});
}

}  // namespace plimsoll
