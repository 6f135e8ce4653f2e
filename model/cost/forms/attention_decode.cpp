// t = t0 + tb b + query and output bytes / (W em) + pnorm(KV bytes / (W em), flop max(1, g0 / group) / (P ec)): affine
// in batch and context, because both under the knee are in proportion to the context.
#include <algorithm>
#include <cmath>

#include "model/cost/kernel_form.hpp"

namespace plimsoll {
namespace {

enum Constant { memory_efficiency, compute_efficiency, launch, per_sequence, group_pad, sharpness };

KernelParts time(const Operator& op, const GpuPeaks& peaks, std::span<const double> c) {
    const double padding = std::max(1.0, c[group_pad] / (op.heads / op.kv_heads));
    const BytesPerSecond bandwidth = peaks.memory * c[memory_efficiency];
    // Queries are read as outputs are written; what remains is the cache. Only work in proportion to the context may
    // stand under the knee, or the time would not be affine in it.
    const Bytes queries_and_outputs = op.work.bytes_written * 2.0;
    const Bytes cache = op.work.bytes_read - op.work.bytes_written;
    return {.launch = Seconds(c[launch]) + Seconds(c[per_sequence]) * op.sequences + queries_and_outputs / bandwidth,
            .compute = op.work.flop * padding / (peaks.arithmetic * c[compute_efficiency]),
            .memory = cache / bandwidth,
            .sharpness = c[sharpness]};
}

FormFeatures features(const Operator& op) {
    return {{std::log(op.sequences), std::log(op.pairs / op.sequences), std::log(op.heads), std::log(op.kv_heads),
             std::log(op.head_dim)},
            5};
}

/// More than 32 query heads on a KV head fill no tile of some libraries, which fall back to a slow kernel.
std::string_view path(const Operator& op) {
    return op.heads / op.kv_heads > 32.0 ? "wide_group" : "";
}

}  // namespace

void register_attention_decode(Registry<KernelForm>& registry) {
    registry.add("attention_decode", {.kernel = "attention_decode",
                                      .constants = {{"memory_efficiency", "", 0.8, 0.02, 3.0, 0.4},
                                                    {"compute_efficiency", "", 0.3, 0.005, 1.0, 1.0},
                                                    {"launch", "s", 1.5e-5, 2e-7, 2e-4, 1.0},
                                                    {"per_sequence", "s", 3e-8, 1e-10, 1e-5, 1.5},
                                                    {"group_pad", "", 8.0, 1.0, 64.0, 0.7},
                                                    {"sharpness", "", 2.0, 0.6, 10.0, 0.7}},
                                      .time = time,
                                      .feature_names = {"batch", "kv", "heads", "kv_heads", "head_dim"},
                                      .features = features,
                                      .path = path,
                                      .affine = true});
}

}  // namespace plimsoll
