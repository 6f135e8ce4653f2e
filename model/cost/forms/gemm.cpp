// t = t0 + pnorm(flop (1 + d) / (P ec), bytes / (W em)); d, the dequantization of narrow weights, counts for kernels
// that expand them before they multiply. The roofline with a knee (Williams, Waterman, Patterson 2009) and a launch.
#include <cmath>

#include "model/cost/kernel_form.hpp"

namespace plimsoll {
namespace {

enum Constant { compute_efficiency, memory_efficiency, launch, sharpness, dequantization };

KernelParts time(const Operator& op, const GpuPeaks& peaks, std::span<const double> c) {
    const double extra = op.expanded_weights ? 1.0 + c[dequantization] : 1.0;
    return {.launch = Seconds(c[launch]),
            .compute = op.work.flop * extra / (peaks.arithmetic * c[compute_efficiency]),
            .memory = (op.work.bytes_read + op.work.bytes_written) / (peaks.memory * c[memory_efficiency]),
            .sharpness = c[sharpness]};
}

FormFeatures features(const Operator& op, const GpuPeaks&) {
    return {{std::log(op.m), std::log(op.n), std::log(op.k)}, 3};
}

/// One row is a matrix-vector product, which libraries hand to a kernel of its own; rows that do not fill the 16 bytes
/// of a vector load keep some libraries from their best kernels.
std::string_view path(const Operator& op) {
    if (op.m == 1.0) return "gemv";
    return std::fmod(op.m, 8.0) == 0.0 ? "" : "unaligned";
}

}  // namespace

void register_gemm(Registry<KernelForm>& registry) {
    registry.add("gemm", {.kernel = "gemm",
                          .constants = {{"compute_efficiency", "", 0.8, 0.05, 1.0, 0.5},
                                        {"memory_efficiency", "", 0.8, 0.05, 1.0, 0.5},
                                        {"launch", "s", 6e-6, 2e-7, 2e-4, 0.5},
                                        {"sharpness", "", 2.0, 1.0, 10.0, 0.7},
                                        {"dequantization", "", 0.5, 0.01, 10.0, 1.0}},
                          .time = time,
                          .feature_names = {"m", "n", "k"},
                          .features = features,
                          .path = path,
                          .jumps = true});
}

}  // namespace plimsoll
