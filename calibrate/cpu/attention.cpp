#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/Core>

#include "calibrate/cpu/benchmarks.hpp"
#include "calibrate/host/host_kernel.hpp"

namespace plimsoll {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Rows = Eigen::Map<const RowMajor>;

constexpr std::int64_t key_block = 128;
constexpr std::int64_t query_block = 64;

/// Query rows that share keys: those of one group of heads for one token, or a block of one head's queries.
struct Task {
    std::int64_t sequence, kv_head;
    std::int64_t first_row, rows;  ///< in [batch x heads x query] order
    std::int64_t first_query;      ///< position of the first row among the queries; all rows of a group have the same
    bool one_position;
};

struct Buffers {
    std::vector<float> keys, values;
    RowMajor scores, sum;
    Eigen::ArrayXf largest, total, scale;
};

/// Causal attention of [batch, heads, query, head_dim] over a cache of [batch, kv_heads, kv, head_dim] keys and values,
/// fp32 arithmetic with an online softmax over blocks of keys (M. Milakov, N. Gimelshein, arXiv 1805.02867).
class Attention final : public HostKernel {
  public:
    explicit Attention(const KernelPoint& point)
        : HostKernel(point),
          shape_(point.shape),
          dtype_(point.kv_dtype),
          group_(shape_.heads / shape_.kv_heads),
          blocks_((shape_.query + query_block - 1) / query_block),
          scale_(1.0F / std::sqrt(static_cast<float>(shape_.head_dim))),
          query_(static_cast<std::size_t>(shape_.batch * shape_.heads * shape_.query * shape_.head_dim)),
          output_(query_.size()) {
        expand(OperandRing::shared().next(query_.size() * sizeof(float)), "fp32", query_.size(), query_.data());
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
        Buffers buffers;
        const Part part = part_of(tasks(), 1, thread, threads);
        // Long and short blocks of a causal prefill alternate, so that the threads have the same to do.
        for (std::int64_t i = part.first; i < part.last; ++i) attend(task(i), buffers);
    }

  private:
    [[nodiscard]] std::int64_t tasks() const {
        return shape_.batch * (shape_.query == 1 ? shape_.kv_heads : shape_.heads * blocks_);
    }
    [[nodiscard]] Task task(std::int64_t index) const;
    void attend(const Task& task, Buffers& buffers);
    void attend_block(const Task& task, std::int64_t from, std::int64_t keys, Buffers& buffers);
    void next_cache() {
        const auto numbers = static_cast<std::size_t>(shape_.batch * shape_.kv_heads * shape_.kv * shape_.head_dim);
        keys_ = OperandRing::shared().next(numbers * bytes_of_dtype(dtype_));
        values_ = OperandRing::shared().next(numbers * bytes_of_dtype(dtype_));
    }
    [[nodiscard]] std::size_t cached(std::int64_t sequence, std::int64_t kv_head, std::int64_t token) const {
        return static_cast<std::size_t>(((sequence * shape_.kv_heads + kv_head) * shape_.kv + token) * shape_.head_dim);
    }
    [[nodiscard]] const void* bytes(const void* numbers, std::size_t index) const {
        return static_cast<const unsigned char*>(numbers) + index * bytes_of_dtype(dtype_);
    }
    /// Keys that a row may look at.
    [[nodiscard]] std::int64_t visible(const Task& task, std::int64_t row) const {
        return shape_.kv - shape_.query + task.first_query + (task.one_position ? 0 : row) + 1;
    }

    KernelShape shape_;
    std::string dtype_;
    std::int64_t group_;
    std::int64_t blocks_;
    float scale_;
    std::vector<float> query_, output_;  ///< [batch, heads, query, head_dim]
    const void* keys_ = nullptr;
    const void* values_ = nullptr;
};

Task Attention::task(std::int64_t index) const {
    if (shape_.query == 1) {
        const std::int64_t kv_head = index % shape_.kv_heads, sequence = index / shape_.kv_heads;
        return {sequence, kv_head, sequence * shape_.heads + kv_head * group_, group_, 0, true};
    }
    const std::int64_t row = index / blocks_, place = index % blocks_;
    const std::int64_t block = row % 2 == 0 ? place : blocks_ - 1 - place;
    const std::int64_t first = block * query_block;
    return {row / shape_.heads,
            row % shape_.heads / group_,
            row * shape_.query + first,
            std::min(query_block, shape_.query - first),
            first,
            false};
}

void Attention::attend(const Task& task, Buffers& buffers) {
    const std::int64_t context = visible(task, task.rows - 1);
    buffers.sum.setZero(task.rows, shape_.head_dim);
    buffers.total.setZero(task.rows);
    buffers.largest.setConstant(task.rows, -std::numeric_limits<float>::infinity());
    for (std::int64_t from = 0; from < context; from += key_block)
        attend_block(task, from, std::min(key_block, context - from), buffers);
    Eigen::Map<RowMajor> result(output_.data() + task.first_row * shape_.head_dim, task.rows, shape_.head_dim);
    result = (buffers.sum.array().colwise() / buffers.total).matrix();
}

void Attention::attend_block(const Task& task, std::int64_t from, std::int64_t keys, Buffers& b) {
    const std::size_t at = cached(task.sequence, task.kv_head, from);
    const auto numbers = static_cast<std::size_t>(keys * shape_.head_dim);
    b.keys.resize(static_cast<std::size_t>(key_block * shape_.head_dim));
    b.values.resize(b.keys.size());
    expand(bytes(keys_, at), dtype_, numbers, b.keys.data());
    expand(bytes(values_, at), dtype_, numbers, b.values.data());
    const Rows query(query_.data() + task.first_row * shape_.head_dim, task.rows, shape_.head_dim);
    const Rows key(b.keys.data(), keys, shape_.head_dim), value(b.values.data(), keys, shape_.head_dim);
    b.scores.noalias() = query * key.transpose() * scale_;
    for (std::int64_t row = 0; row < task.rows; ++row)
        for (std::int64_t key_index = std::max<std::int64_t>(0, visible(task, row) - from); key_index < keys;
             ++key_index)
            b.scores(row, key_index) = -std::numeric_limits<float>::infinity();
    // Sums of earlier blocks are scaled to the largest score seen so far.
    b.scale = b.largest;
    b.largest = b.largest.max(b.scores.rowwise().maxCoeff().array());
    b.scale = (b.scale - b.largest).exp();
    b.scores = (b.scores.array().colwise() - b.largest).exp().matrix();
    b.total = b.total * b.scale + b.scores.rowwise().sum().array();
    b.sum = (b.sum.array().colwise() * b.scale).matrix();
    b.sum.noalias() += b.scores * value;
}

double Attention::error() {
    run();
    constexpr std::int64_t checked = 8;
    const std::int64_t all = shape_.batch * shape_.heads * shape_.query, dim = shape_.head_dim;
    double deviation = 0, largest = 0;
    for (std::int64_t i = 0; i < std::min(all, checked); ++i) {
        const std::int64_t row = i * (all - 1) / std::max<std::int64_t>(1, std::min(all, checked) - 1);
        const std::int64_t head = row / shape_.query % shape_.heads, sequence = row / shape_.query / shape_.heads;
        const std::size_t at = cached(sequence, head / group_, 0);
        const std::int64_t context = shape_.kv - shape_.query + row % shape_.query + 1;
        std::vector<double> sum(static_cast<std::size_t>(dim)), scores(static_cast<std::size_t>(context));
        for (std::int64_t t = 0; t < context; ++t)
            for (std::int64_t d = 0; d < dim; ++d)
                scores[static_cast<std::size_t>(t)] +=
                    static_cast<double>(query_[static_cast<std::size_t>(row * dim + d)]) *
                    number_at(keys_, dtype_, at + static_cast<std::size_t>(t * dim + d)) /
                    std::sqrt(static_cast<double>(dim));
        const double top = *std::max_element(scores.begin(), scores.end());
        double total = 0;
        for (std::int64_t t = 0; t < context; ++t) {
            const double weight = std::exp(scores[static_cast<std::size_t>(t)] - top);
            total += weight;
            for (std::int64_t d = 0; d < dim; ++d)
                sum[static_cast<std::size_t>(d)] +=
                    weight * number_at(values_, dtype_, at + static_cast<std::size_t>(t * dim + d));
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
