// The experts of a rank that at least one token falls to, with what runs before, between and after their products: t =
// t0 + te E + between / (W eb) + pnorm(2 (R + r E) w (1 + h miss) / (P ec), max(products / (W em), d (k + n))), R rows,
// E experts, w weights of one, [k, n] one of its matrices. r are the rows of a tile that an expert leaves empty on the
// mean; libraries take taller tiles where tokens are many for the experts that the rank holds (vLLM's and SGLang's
// default beyond one token an expert): r = r0 (1 + g x^2 / (1 + x^2)), x tokens over experts held. miss = 1 - L2 /
// (tokens' inputs) is the share of the gathered rows that L2 does not keep for the next tile. d is the time in which a
// tile alone works through one element of depth, which few rows on small shards wait for. products: weights, and what
// the products read and write; between: what activation and the sum over a token's experts read and write. Kernels that
// go through the choices of all tokens write and read those of other ranks too, a share f of each.
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
    taller_tiles,
    sharpness,
    dequantization,
    depth,
    between_efficiency,
    foreign,
    cache_misses
};
constexpr double activation_bytes = 2.0;

double rows_of(const Operator& op) {
    return op.m * op.experts;
}

/// Rows that the tiles of an expert leave empty.
double empty_rows_of(const ExpertFfn& ffn, std::span<const double> c) {
    const double full = ffn.tokens / ffn.held, squared = full * full;
    return c[empty_rows] * (1.0 + c[taller_tiles] * squared / (1.0 + squared));
}

KernelParts time(const Operator& op, const GpuPeaks& peaks, std::span<const double> c) {
    const ExpertFfn& ffn = op.ffn;
    const double rows = rows_of(op), choices = rows + c[foreign] * ffn.foreign, up = (ffn.matrices - 1.0) * ffn.width;
    const Bytes inputs(activation_bytes * ffn.tokens * ffn.hidden);
    const double missed = std::max(0.0, 1.0 - peaks.l2 / inputs);
    const double extra = (op.expanded_weights ? 1.0 + c[dequantization] : 1.0) * (1.0 + c[cache_misses] * missed);
    const Flop flop(2.0 * (rows + empty_rows_of(ffn, c) * op.experts) * ffn.weights_of_one());
    const Bytes products =
        ffn.weights + Bytes(activation_bytes * (rows * (ffn.hidden + ffn.width) + choices * (up + ffn.hidden)));
    const Bytes between = Bytes(activation_bytes * (choices * (up + ffn.width + ffn.hidden) + ffn.tokens * ffn.hidden));
    return {.launch = Seconds(c[launch]) + Seconds(c[per_expert]) * op.experts,
            .compute = flop * extra / (peaks.arithmetic * c[compute_efficiency]),
            .memory = std::max(products / (peaks.memory * c[memory_efficiency]),
                               Seconds(c[depth] * (ffn.width + ffn.hidden))),
            .sharpness = c[sharpness],
            .streamed = between / (peaks.memory * c[between_efficiency])};
}

FormFeatures features(const Operator& op, const GpuPeaks&) {
    return {{std::log(rows_of(op)), std::log(op.ffn.width), std::log(op.ffn.hidden), std::log(op.experts)}, 4};
}

std::string_view path(const Operator&) {
    return "";
}

}  // namespace

void register_moe(Registry<KernelForm>& registry) {
    registry.add("moe", {.kernel = "moe",
                         .constants = {{"compute_efficiency", "", 0.6, 0.02, 1.0, 0.5},
                                       {"memory_efficiency", "", 0.6, 0.02, 1.0, 0.5},
                                       {"launch", "s", 3e-5, 1e-6, 1e-3, 1.0},
                                       {"per_expert", "s", 1e-7, 1e-9, 1e-5, 1.0},
                                       {"empty_rows", "", 16.0, 1.0, 256.0, 0.7},
                                       {"taller_tiles", "", 3.0, 0.01, 30.0, 1.0},
                                       {"sharpness", "", 2.0, 1.0, 10.0, 0.7},
                                       {"dequantization", "", 0.5, 0.01, 10.0, 1.0},
                                       {"depth", "s", 2e-9, 1e-11, 1e-7, 1.0},
                                       {"between_efficiency", "", 0.7, 0.1, 2.0, 0.4},
                                       {"foreign", "", 0.7, 0.02, 3.0, 0.7},
                                       {"cache_misses", "", 0.3, 0.01, 5.0, 1.0}},
                         .time = time,
                         .feature_names = {"rows", "intermediate", "hidden", "experts"},
                         .features = features,
                         .path = path,
                         .jumps = true});
}

}  // namespace plimsoll
