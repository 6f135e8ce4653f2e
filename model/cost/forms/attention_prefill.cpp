// t = t0 + tb b + pnorm(flop / (P e) (1 + k0 / kv) (1 + q0 / q + SM / (b heads max(1, q / 128))), bytes / (W em)),
// e = ec (head_dim / 128)^g; flop counts half a tile of 128 beyond the diagonal. Tiles of 128 queries as in
// FlashAttention 2 (Dao 2023, section 3.2): idle multiprocessors lose what a short grid of them leaves.
#include <algorithm>
#include <cmath>

#include "model/cost/kernel_form.hpp"

namespace plimsoll {
namespace {

enum Constant {
    compute_efficiency,
    memory_efficiency,
    launch,
    per_sequence,
    query_half,
    context_half,
    head_dim_exponent,
    sharpness
};
constexpr double fewest_tile_rows = 32.0;

struct Sizes {
    double query, context;
};
Sizes sizes(const Operator& op) {
    // A query at position i of its chunk sees past + i keys, so that the mean falls short of the last one's by half.
    const double query = op.m / op.sequences;
    return {query, op.pairs / op.m + (query - 1.0) / 2.0};
}

KernelParts time(const Operator& op, const GpuPeaks& peaks, std::span<const double> c) {
    const auto [query, context] = sizes(op);
    const double efficiency = c[compute_efficiency] * std::pow(op.head_dim / 128.0, c[head_dim_exponent]);
    // Not rounded up: a longer prompt would be faster wherever it fills one more of the idle multiprocessors.
    const double tiles = op.sequences * op.heads * std::max(1.0, query / 128.0);
    // What is lost on short queries and contexts is no more than on the fewest rows that a tile can have; without the
    // limit the time would rise again towards a single token.
    const double loss = (1.0 + c[context_half] / std::max(context, fewest_tile_rows)) *
                        (1.0 + c[query_half] / std::max(query, fewest_tile_rows) + peaks.multiprocessors / tiles);
    // A tile on the diagonal computes 128 x 128 pairs for 128 x 129 / 2 that count: 63.5 a query in vain.
    const double diagonal = 1.0 + op.m * 63.5 / op.pairs;
    return {.launch = Seconds(c[launch]) + Seconds(c[per_sequence]) * op.sequences,
            .compute = op.work.flop * diagonal * loss / (peaks.arithmetic * std::min(1.0, efficiency)),
            .memory = (op.work.bytes_read + op.work.bytes_written) / (peaks.memory * c[memory_efficiency]),
            .sharpness = c[sharpness]};
}

FormFeatures features(const Operator& op) {
    const auto [query, context] = sizes(op);
    return {{std::log(op.sequences), std::log(query), std::log(context), std::log(op.heads),
             std::log(op.heads / op.kv_heads), std::log(op.head_dim)},
            6};
}

/// Queries after a cached prefix or an earlier chunk read keys that they did not bring.
std::string_view path(const Operator& op) {
    const auto [query, context] = sizes(op);
    return context > query + 0.5 ? "prefix" : "";
}

}  // namespace

void register_attention_prefill(Registry<KernelForm>& registry) {
    registry.add("attention_prefill", {.kernel = "attention_prefill",
                                       .constants = {{"compute_efficiency", "", 0.6, 0.02, 1.0, 0.5},
                                                     {"memory_efficiency", "", 0.5, 0.02, 3.0, 0.7},
                                                     {"launch", "s", 8e-6, 2e-7, 2e-4, 1.0},
                                                     {"per_sequence", "s", 1e-7, 1e-9, 1e-5, 1.0},
                                                     {"query_half", "tokens", 40.0, 0.5, 2000.0, 1.0},
                                                     {"context_half", "tokens", 20.0, 0.5, 2000.0, 1.0},
                                                     {"head_dim_exponent", "", 0.5, 0.05, 2.0, 0.5},
                                                     {"sharpness", "", 1.3, 0.6, 10.0, 0.5}},
                                       .time = time,
                                       .feature_names = {"batch", "query", "kv", "heads", "group", "head_dim"},
                                       .features = features,
                                       .path = path});
}

}  // namespace plimsoll
