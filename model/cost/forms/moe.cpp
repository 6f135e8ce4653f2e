// A grouped product over the experts that at least one token chose: t = t0 + te E + pnorm(flop (1 + r0 / m) / (P ec),
// max(bytes / (W em), d (k + n / 3))), E experts chosen, m rows of each on the mean, r0 the rows of a tile that an
// expert leaves empty, d the time in which a tile alone works through one element of depth: the hidden size in the
// first product, the expert's width n / 3 in the second. It is what few rows on small shards wait for.
#include <algorithm>
#include <cmath>

#include "model/cost/kernel_form.hpp"

namespace plimsoll {
namespace {

enum Constant {
    compute_efficiency,
    memory_efficiency,
    launch,
    per_expert,
    empty_rows,
    sharpness,
    dequantization,
    depth
};

KernelParts time(const Operator& op, const GpuPeaks& peaks, std::span<const double> c) {
    const double extra = op.expanded_weights ? 1.0 + c[dequantization] : 1.0;
    const double padding = 1.0 + c[empty_rows] / op.m;
    return {.launch = Seconds(c[launch]) + Seconds(c[per_expert]) * op.experts,
            .compute = op.work.flop * padding * extra / (peaks.arithmetic * c[compute_efficiency]),
            .memory = std::max((op.work.bytes_read + op.work.bytes_written) / (peaks.memory * c[memory_efficiency]),
                               Seconds(c[depth] * (op.n / 3 + op.k))),
            .sharpness = c[sharpness]};
}

FormFeatures features(const Operator& op, const GpuPeaks&) {
    return {{std::log(op.m * op.experts), std::log(op.n), std::log(op.k), std::log(op.experts)}, 4};
}

std::string_view path(const Operator&) {
    return "";
}

}  // namespace

void register_moe(Registry<KernelForm>& registry) {
    registry.add("moe", {.kernel = "moe",
                         .constants = {{"compute_efficiency", "", 0.6, 0.02, 1.0, 0.5},
                                       {"memory_efficiency", "", 0.6, 0.02, 2.0, 0.5},
                                       {"launch", "s", 1.5e-5, 1e-6, 1e-3, 1.0},
                                       {"per_expert", "s", 1e-7, 1e-9, 1e-5, 1.0},
                                       {"empty_rows", "", 32.0, 1.0, 256.0, 1.0},
                                       {"sharpness", "", 2.0, 0.6, 10.0, 0.7},
                                       {"dequantization", "", 0.5, 0.01, 10.0, 1.0},
                                       {"depth", "s", 4e-9, 1e-11, 1e-7, 1.0}},
                         .time = time,
                         .feature_names = {"rows", "intermediate", "hidden", "experts"},
                         .features = features,
                         .path = path,
                         .jumps = true});
}

}  // namespace plimsoll
