#include <algorithm>
#include <cmath>
#include <cstring>

#include "calibrate/cpu/benchmarks.hpp"
#include "calibrate/host/host_kernel.hpp"

namespace plimsoll {
namespace {

constexpr std::int64_t query_block = 64;

/// Causal attention of [batch, heads, query, head_dim] over a cache of [batch, kv_heads, kv, head_dim] keys and values,
/// in fp32 arithmetic. A task is the group of heads that share keys for one token, or a block of one head's queries.
class Attention final : public HostKernel {
  public:
    explicit Attention(const KernelPoint& point)
        : HostKernel(point),
          shape_(point.shape),
          type_(number_type(point.kv_dtype)),
          group_(shape_.heads / shape_.kv_heads),
          blocks_((shape_.query + query_block - 1) / query_block),
          scale_(1.0F / std::sqrt(static_cast<float>(shape_.head_dim))),
          query_(static_cast<std::size_t>(shape_.batch * shape_.heads * shape_.query * shape_.head_dim)),
          output_(query_.size()) {
        std::memcpy(query_.data(), OperandRing::shared().next(query_.size() * sizeof(float)),
                    query_.size() * sizeof(float));
        const std::int64_t count = shape_.batch * (shape_.query == 1 ? shape_.kv_heads : shape_.heads * blocks_);
        for (std::int64_t i = 0; i < count; ++i) tasks_.push_back(task(i));
        next_cache();
    }

    double error() override;
    /// Rounding of fp32 sums and exponentials.
    [[nodiscard]] double tolerance() const override { return 1e-4; }

  protected:
    void refresh() override {
        if (cold()) next_cache();
    }
    void share(int thread, int threads) override {
        const Part part = part_of(static_cast<std::int64_t>(tasks_.size()), 1, thread, threads);
        // Long and short blocks of a causal prefill alternate, so that the threads have the same to do.
        kernels().attend({type_, keys_, values_, query_.data(), output_.data(), shape_.head_dim, scale_},
                         tasks_.data() + part.first, tasks_.data() + part.last);
    }

  private:
    [[nodiscard]] AttentionTask task(std::int64_t index) const;
    void next_cache() {
        const auto bytes = static_cast<std::size_t>(shape_.batch * shape_.kv_heads * shape_.kv * shape_.head_dim *
                                                    number_bytes(type_));
        keys_ = OperandRing::shared().next(bytes);
        values_ = OperandRing::shared().next(bytes);
    }
    /// First key of a head.
    [[nodiscard]] std::int64_t first_key(std::int64_t sequence, std::int64_t kv_head) const {
        return (sequence * shape_.kv_heads + kv_head) * shape_.kv;
    }

    KernelShape shape_;
    NumberType type_;
    std::int64_t group_;
    std::int64_t blocks_;
    float scale_;
    std::vector<float> query_, output_;  ///< [batch, heads, query, head_dim]
    std::vector<AttentionTask> tasks_;
    const void* keys_ = nullptr;
    const void* values_ = nullptr;
};

AttentionTask Attention::task(std::int64_t index) const {
    if (shape_.query == 1) {
        const std::int64_t kv_head = index % shape_.kv_heads, sequence = index / shape_.kv_heads;
        return {.first_row = sequence * shape_.heads + kv_head * group_,
                .rows = group_,
                .first_key = first_key(sequence, kv_head),
                .visible = shape_.kv,
                .further = 0};
    }
    const std::int64_t row = index / blocks_, place = index % blocks_;
    const std::int64_t first = (row % 2 == 0 ? place : blocks_ - 1 - place) * query_block;
    return {.first_row = row * shape_.query + first,
            .rows = std::min(query_block, shape_.query - first),
            .first_key = first_key(row / shape_.heads, row % shape_.heads / group_),
            .visible = shape_.kv - shape_.query + first + 1,
            .further = 1};
}

double Attention::error() {
    run();
    constexpr std::int64_t checked = 8;
    const std::int64_t all = shape_.batch * shape_.heads * shape_.query, dim = shape_.head_dim;
    double deviation = 0, largest = 0;
    for (std::int64_t i = 0; i < std::min(all, checked); ++i) {
        const std::int64_t row = i * (all - 1) / std::max<std::int64_t>(1, std::min(all, checked) - 1);
        const std::int64_t head = row / shape_.query % shape_.heads, sequence = row / shape_.query / shape_.heads;
        const std::int64_t at = first_key(sequence, head / group_) * dim;
        const std::int64_t context = shape_.kv - shape_.query + row % shape_.query + 1;
        std::vector<double> sum(static_cast<std::size_t>(dim)), scores(static_cast<std::size_t>(context));
        for (std::int64_t t = 0; t < context; ++t)
            for (std::int64_t d = 0; d < dim; ++d)
                scores[static_cast<std::size_t>(t)] +=
                    static_cast<double>(query_[static_cast<std::size_t>(row * dim + d)]) *
                    number_at(keys_, type_, at + t * dim + d) / std::sqrt(static_cast<double>(dim));
        const double top = *std::max_element(scores.begin(), scores.end());
        double total = 0;
        for (std::int64_t t = 0; t < context; ++t) {
            const double weight = std::exp(scores[static_cast<std::size_t>(t)] - top);
            total += weight;
            for (std::int64_t d = 0; d < dim; ++d)
                sum[static_cast<std::size_t>(d)] += weight * number_at(values_, type_, at + t * dim + d);
        }
        for (std::int64_t d = 0; d < dim; ++d) {
            const double reference = sum[static_cast<std::size_t>(d)] / total;
            const double found = static_cast<double>(output_[static_cast<std::size_t>(row * dim + d)]);
            deviation = std::max(deviation, std::abs(found - reference));
            largest = std::max(largest, std::abs(reference));
        }
    }
    return deviation / largest;
}

KernelPoint point(const std::string& kv_dtype, std::int64_t batch, std::int64_t query, std::int64_t kv,
                  std::int64_t heads, std::int64_t kv_heads) {
    const bool decode = query == 1;
    return {.kernel = decode ? KernelClass::attention_decode : KernelClass::attention_prefill,
            .path = "online-softmax",
            .dtype = kv_dtype,
            .kv_dtype = kv_dtype,
            .shape = {.batch = batch, .query = query, .kv = kv, .heads = heads, .kv_heads = kv_heads, .head_dim = 128}};
}

/// Queries are fp32 in any case; a deployment has activations and cache of one type, by which it looks a kernel up.
std::vector<std::string> dtypes(bool quick) {
    return quick ? std::vector<std::string>{"bf16", "fp16"} : std::vector<std::string>{"bf16", "fp16", "fp32"};
}

std::vector<KernelPoint> decode_points(bool quick) {
    std::vector<KernelPoint> all;
    for (const std::string& dtype : dtypes(quick)) {
        for (const auto& [batch, kv] : {std::pair{8, 1024}, {1, 256}, {1, 4096}, {16, 256}, {4, 2048}, {32, 512}})
            for (const std::int64_t kv_heads : {8, 32})
                if (kv_heads == 8 || !quick) all.push_back(point(dtype, batch, 1, kv, 32, kv_heads));
        if (quick) {
            all.push_back(point(dtype, 2, 1, 1024, 32, 32));
            continue;
        }
        for (const auto& [batch, kv] : {std::pair{1, 1024}, {2, 512}, {2, 8192}, {64, 256}, {8, 4096}})
            for (const std::int64_t heads : {8, 16}) all.push_back(point(dtype, batch, 1, kv, heads, 8));
    }
    return all;
}

std::vector<KernelPoint> prefill_points(bool quick) {
    std::vector<KernelPoint> all;
    for (const std::string& dtype : dtypes(quick)) {
        for (const auto& [query, kv] : {std::pair{256, 256}, {128, 128}, {512, 512}, {128, 1024}})
            for (const std::int64_t heads : {8, 32}) all.push_back(point(dtype, 1, query, kv, heads, 8));
        all.push_back(point(dtype, 4, 128, 128, 32, 8));
        if (quick) continue;
        for (const auto& [query, kv] : {std::pair{1024, 1024}, {256, 2048}, {64, 64}, {512, 1024}})
            all.push_back(point(dtype, 1, query, kv, 32, 32));
        for (const std::int64_t batch : {2, 8}) all.push_back(point(dtype, batch, 256, 256, 16, 8));
    }
    return all;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& wanted) {
    return std::make_unique<Attention>(wanted);
}

}  // namespace

void register_attention(Registry<Microbenchmark>& registry) {
    registry.add("attention_decode", {.description = "one query a sequence over a KV cache of bf16 and fp32",
                                      .points = decode_points,
                                      .prepare = prepare});
    registry.add("attention_prefill", {.description = "causal attention of prompts, with and without a cached prefix",
                                       .points = prefill_points,
                                       .prepare = prepare});
}

}  // namespace plimsoll
