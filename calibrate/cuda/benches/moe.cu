#include <algorithm>
#include <numeric>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/elementwise.hpp"
#include "calibrate/cuda/grouped_matmul.hpp"
#include "calibrate/cuda/matmul.hpp"
#include "calibrate/cuda/numeric.cuh"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll {
namespace {

using namespace cuda;

/// Which rows, sorted by expert, every token's choices have become.
struct Routing {
    std::vector<std::int32_t> source, expert;  ///< of each row: its token, its expert
    std::vector<std::int32_t> row;             ///< [tokens, top_k]
    std::vector<float> weight;                 ///< [tokens, top_k]
    std::vector<ExpertTile> tiles;
};

/// `top_k` different experts a token, all experts as likely.
Routing random_routing(const KernelShape& s, int tile_rows) {
    const auto experts = static_cast<std::size_t>(s.experts), tokens = static_cast<std::size_t>(s.m);
    const auto top_k = static_cast<std::size_t>(s.top_k);
    std::vector<std::vector<std::pair<std::size_t, std::size_t>>> chosen(experts);  // token, which of its choices
    std::vector<std::size_t> order(experts);
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t token = 0; token < tokens; ++token)
        for (std::size_t j = 0; j < top_k; ++j) {
            std::swap(order[j], order[j + hashed(9, token * top_k + j) % (experts - j)]);
            chosen[order[j]].emplace_back(token, j);
        }
    Routing routing;
    routing.row.resize(tokens * top_k);
    routing.weight.resize(tokens * top_k);
    for (std::size_t i = 0; i < routing.weight.size(); ++i)
        routing.weight[i] = (1.5F + symmetric(hashed(10, i))) / static_cast<float>(s.top_k);
    for (std::size_t expert = 0; expert < experts; ++expert) {
        const auto count = static_cast<std::int32_t>(chosen[expert].size());
        const auto first = static_cast<std::int32_t>(routing.source.size());
        for (std::int32_t at = 0; at < count; at += tile_rows)
            routing.tiles.push_back({static_cast<std::int32_t>(expert), first + at, std::min(tile_rows, count - at)});
        for (const auto& [token, j] : chosen[expert]) {
            routing.row[token * top_k + j] = static_cast<std::int32_t>(routing.source.size());
            routing.source.push_back(static_cast<std::int32_t>(token));
            routing.expert.push_back(static_cast<std::int32_t>(expert));
        }
    }
    return routing;
}

/// Gated experts of `k` to `n` to `k` for m tokens whose experts are known: two grouped products with silu between
/// them and the weighted sum.
class Moe final : public TimedKernel {
  public:
    explicit Moe(const KernelPoint& point)
        : TimedKernel(point.cold, 1), dtype_(dtype_of(point.dtype)), shape_(point.shape) {
        require_capability(80, "the grouped product");
        if (shape_.top_k < 1 || shape_.top_k > shape_.experts)
            throw std::runtime_error("a token chooses from 1 to all experts");
        const auto rows = static_cast<std::size_t>(shape_.m * shape_.top_k);
        const auto hidden = static_cast<std::size_t>(shape_.k), inner = static_cast<std::size_t>(shape_.n);
        const auto experts = static_cast<std::size_t>(shape_.experts);
        // Long tiles pay once most of an expert's rows fill them.
        const int tile_rows = rows >= experts * 96 ? 128 : 64;
        const Routing routing = random_routing(shape_, tile_rows);
        source_ = to_device(routing.source);
        expert_ = to_device(routing.expert);
        row_ = to_device(routing.row);
        weight_ = to_device(routing.weight);
        tiles_ = to_device(routing.tiles);
        x_ = random_values(dtype_, static_cast<std::size_t>(shape_.m) * hidden, 1);
        // Small enough that the second product's inputs stay near 1.
        up_weights_ = random_values(dtype_, experts * 2 * inner * hidden, 2, 0.05F);
        down_weights_ = random_values(dtype_, experts * inner * hidden, 3, 0.05F);
        both_ = DeviceMemory(rows * 2 * inner * 2);
        inner_ = DeviceMemory(rows * inner * 2);
        outer_ = DeviceMemory(rows * hidden * 2);
        y_ = DeviceMemory(static_cast<std::size_t>(shape_.m) * hidden * 2);
        up_ = {x_.as(),
               source_.as<std::int32_t>(),
               up_weights_.as(),
               both_.as(),
               tiles_.as<ExpertTile>(),
               static_cast<int>(routing.tiles.size()),
               tile_rows,
               2 * shape_.n,
               shape_.k};
        down_ = {inner_.as(),
                 nullptr,
                 down_weights_.as(),
                 outer_.as(),
                 tiles_.as<ExpertTile>(),
                 static_cast<int>(routing.tiles.size()),
                 tile_rows,
                 shape_.k,
                 shape_.n};
        sum_ = {outer_.as(), row_.as<std::int32_t>(),       weight_.as<float>(), y_.as(), shape_.m,
                shape_.k,    static_cast<int>(shape_.top_k)};
    }

    /// Each stage by itself, on what the one before has put out; silu has its own check among the elementwise kernels.
    double error() override {
        for (const DeviceMemory* memory : {&both_, &inner_, &outer_, &y_}) poison(*memory);
        run_plainly();
        constexpr int samples = 256;
        const std::int64_t rows = shape_.m * shape_.top_k;
        const auto* const expert = expert_.as<std::int32_t>();
        return std::max({grouped_deviation(dtype_, up_, expert, rows, samples),
                         grouped_deviation(dtype_, down_, expert, rows, samples),
                         expert_sum_deviation(dtype_, sum_, samples)});
    }
    [[nodiscard]] double tolerance() const override { return matmul_tolerance(dtype_, shape_.k); }

  protected:
    void launch(cudaStream_t stream, int) override {
        grouped_matmul(dtype_, up_, stream);
        silu_multiply(dtype_, both_.as(), inner_.as(), shape_.m * shape_.top_k, shape_.n, stream);
        grouped_matmul(dtype_, down_, stream);
        expert_sum(dtype_, sum_, stream);
    }

  private:
    Dtype dtype_;
    KernelShape shape_;
    DeviceMemory source_, expert_, row_, weight_, tiles_, x_, up_weights_, down_weights_, both_, inner_, outer_, y_;
    GroupedMatmul up_, down_;
    ExpertSum sum_;
};

std::vector<KernelPoint> points(bool quick) {
    struct Experts {
        std::int64_t hidden, inner, count, top_k;
    };
    // Mixtral 8x7B; a slice of it on two devices; many small experts as in Qwen3-30B-A3B.
    const std::vector<Experts> experts{{4096, 14336, 8, 2}, {2048, 768, 128, 8}, {4096, 7168, 8, 2}};
    std::vector<KernelPoint> result;
    if (device_limits().capability < 80) return result;
    for (const std::int64_t m : quick ? std::vector<std::int64_t>{1, 64, 1024}
                                      : std::vector<std::int64_t>{1, 4, 16, 64, 256, 1024, 4096, 8192})
        for (const auto& [hidden, inner, count, top_k] : experts) {
            if (quick && inner == 7168) continue;
            KernelPoint point{KernelClass::moe, "balanced", "bf16", "", {}, true};
            point.shape.m = m;
            point.shape.n = inner;
            point.shape.k = hidden;
            point.shape.experts = count;
            point.shape.top_k = top_k;
            result.push_back(point);
        }
    return result;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& point) {
    return std::make_unique<Moe>(point);
}

}  // namespace

void register_moe(Registry<Microbenchmark>& registry) {
    registry.add("moe", {"gated experts for tokens whose experts are known (router and sorting are not in the time): "
                         "grouped products by a tensor-core kernel of our own, silu, weighted sum; fp16 and bf16",
                         points, prepare});
}

}  // namespace plimsoll
