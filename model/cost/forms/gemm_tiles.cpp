// The library's choice among tile sizes and splits of k: a grid of [bm, bn] tiles runs in waves over the
// multiprocessors, waves = w ceil(blocks / SM) + (1 - w) max(1, blocks / SM), w the share of a wave that its last
// blocks cannot hide; compute = (waves + e) 2 bm bn k / split (1 + h (128 / bm + 128 / bn) / 2) / (P ec / SM) +
// ceil(blocks / SM) tw, where e is what a block loses that has its multiprocessor to itself (nothing runs while it
// fills its pipeline and writes its results), in times of a block, h what a tile of 128 x 128 loses to loading its
// edges and tw the time in which a wave fills and drains; memory = bytes / (W em min(1, c blocks / SM)): a block alone
// draws c times its share of the bandwidth. The split's partial sums are written and read once. t = t0 + pnorm(compute,
// memory). A library does not know which tile is the best: it takes one that is slower by x with a weight of exp(-x /
// r), and launch, compute and memory are means over its choices. Quantization as in NVIDIA's "Matrix Multiplication
// Background" guide, sections on tile and wave quantization; the choice as in a multinomial logit (McFadden 1974).
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "model/cost/kernel_form.hpp"

namespace plimsoll {
namespace {

enum Constant {
    compute_efficiency,
    memory_efficiency,
    launch,
    sharpness,
    dequantization,
    wave_share,
    tile_loss,
    block_bandwidth,
    split_cost,
    wave_latency,
    lone_block,
    regret
};

struct Tile {
    double m, n;
};
constexpr Tile tiles[] = {{32, 64}, {64, 64}, {64, 128}, {128, 64}, {128, 128}, {128, 256}, {256, 128}};
constexpr double fewest_k = 256.0, partial_sum_bytes = 4.0;
constexpr std::size_t most_splits = 5;  ///< 1, 2, .. 16
/// Splits are tried up to so many blocks on a multiprocessor.
constexpr double enough_blocks = 4.0;

/// One tile and split, in seconds.
struct Choice {
    double launch, compute, memory, total;
};
struct Choices {
    std::array<Choice, std::size(tiles) * most_splits> values;
    std::size_t count = 0;
    double least = std::numeric_limits<double>::infinity();
};

Choices choices(const Operator& op, const GpuPeaks& peaks, std::span<const double> c) {
    const double sm = peaks.multiprocessors;
    const double extra = op.expanded_weights ? 1.0 + c[dequantization] : 1.0;
    const double rate = peaks.arithmetic.value() * c[compute_efficiency] / sm;
    const double bandwidth = peaks.memory.value() * c[memory_efficiency];
    const double bytes = (op.work.bytes_read + op.work.bytes_written).value();
    const double products = std::max(1.0, op.experts);
    Choices result;
    for (const Tile& tile : tiles) {
        const double grid = products * std::ceil(op.m / tile.m) * std::ceil(op.n / tile.n);
        const double of_one =
            2.0 * tile.m * tile.n * op.k * extra / rate * (1.0 + c[tile_loss] * (64.0 / tile.m + 64.0 / tile.n));
        double split = 1.0;
        for (std::size_t i = 0; i < most_splits && (i == 0 || op.k / split >= fewest_k); ++i, split *= 2.0) {
            const double full = grid * split / sm;
            const double waves =
                c[wave_share] * std::ceil(full) + (1.0 - c[wave_share]) * std::max(1.0, full) + c[lone_block];
            const double compute = waves * of_one / split + std::ceil(full) * c[wave_latency];
            const double partial = i > 0 ? 2.0 * split * partial_sum_bytes * op.m * op.n : 0.0;
            const double memory = (bytes + partial) / (bandwidth * std::min(1.0, c[block_bandwidth] * full));
            const double start = c[launch] + (i > 0 ? c[split_cost] : 0.0);
            const double total = start + std::max(compute, memory) + 0.3 * std::min(compute, memory);
            result.values[result.count++] = {start, compute, memory, total};
            result.least = std::min(result.least, total);
            if (full >= enough_blocks) break;
        }
    }
    return result;
}

KernelParts time(const Operator& op, const GpuPeaks& peaks, std::span<const double> c) {
    constexpr double never = 8.0;  // exp(-8) of a choice is none
    const Choices all = choices(op, peaks, c);
    double weights = 0, start = 0, compute = 0, memory = 0;
    for (std::size_t i = 0; i < all.count; ++i) {
        const Choice& one = all.values[i];
        const double slower = (one.total / all.least - 1.0) / c[regret];
        if (slower > never) continue;
        const double weight = std::exp(-slower);
        weights += weight, start += weight * one.launch, compute += weight * one.compute, memory += weight * one.memory;
    }
    return {Seconds(start / weights), Seconds(compute / weights), Seconds(memory / weights), c[sharpness]};
}

/// Share of the multiprocessors that the waves of 128 x 128 tiles keep busy.
double wave_use(const Operator& op, const GpuPeaks& peaks) {
    const double full = std::ceil(op.m / 128.0) * std::ceil(op.n / 128.0) / peaks.multiprocessors;
    return full / std::ceil(full);
}

FormFeatures features(const Operator& op, const GpuPeaks& peaks) {
    return {{std::log(op.m), std::log(op.n), std::log(op.k),
             peaks.multiprocessors > 0 ? std::log(wave_use(op, peaks)) : 0.0},
            4};
}

std::string_view path(const Operator& op) {
    if (op.m == 1.0) return "gemv";
    return std::fmod(op.m, 8.0) == 0.0 ? "" : "unaligned";
}

}  // namespace

void register_gemm_tiles(Registry<KernelForm>& registry) {
    registry.add("gemm_tiles", {.kernel = "gemm",
                                .constants = {{"compute_efficiency", "", 0.85, 0.05, 1.0, 0.5},
                                              {"memory_efficiency", "", 0.8, 0.05, 1.0, 0.5},
                                              {"launch", "s", 5e-6, 2e-7, 2e-4, 0.5},
                                              {"sharpness", "", 3.0, 1.0, 10.0, 0.5},
                                              {"dequantization", "", 0.5, 0.01, 10.0, 1.0},
                                              {"wave_share", "", 0.4, 0.02, 1.0, 0.5},
                                              {"tile_loss", "", 0.1, 0.005, 2.0, 1.0},
                                              {"block_bandwidth", "", 2.0, 0.2, 20.0, 0.4},
                                              {"split_cost", "s", 1e-6, 1e-8, 1e-4, 1.0},
                                              {"wave_latency", "s", 1e-6, 1e-8, 3e-5, 1.0},
                                              {"lone_block", "", 0.2, 0.003, 5.0, 1.0},
                                              {"regret", "", 0.1, 0.005, 1.0, 0.5}},
                                .time = time,
                                .feature_names = {"m", "n", "k", "wave_use"},
                                .features = features,
                                .path = path,
                                .jumps = true});
}

}  // namespace plimsoll
