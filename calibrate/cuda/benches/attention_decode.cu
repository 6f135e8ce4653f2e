#include <algorithm>
#include <numeric>

#include "calibrate/cuda/attention.hpp"
#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/numeric.cuh"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll {
namespace {

using namespace cuda;

constexpr std::int64_t page_tokens = 16;

/// The pages of all copies in an order without a pattern, as a cache in service has them.
std::vector<std::int32_t> shuffled_pages(std::size_t count) {
    std::vector<std::int32_t> pages(count);
    std::iota(pages.begin(), pages.end(), 0);
    for (std::size_t i = count; i > 1; --i) std::swap(pages[i - 1], pages[hashed(5, i) % i]);
    return pages;
}

class Decode final : public TimedKernel {
  public:
    explicit Decode(const KernelPoint& point) : TimedKernel(point.cold, copies(point)), dtype_(dtype_of(point.dtype)) {
        const KernelShape& s = point.shape;
        if (s.query != 1) throw std::runtime_error("decode attention is of one query token");
        const std::int64_t pages = (s.kv + page_tokens - 1) / page_tokens;
        table_entries_ = static_cast<std::size_t>(s.batch * pages);
        const std::size_t all_pages = table_entries_ * static_cast<std::size_t>(copies(point));
        const auto q_values = static_cast<std::size_t>(s.batch * s.heads * s.head_dim);
        const std::size_t kv_values = all_pages * static_cast<std::size_t>(page_tokens * s.kv_heads * s.head_dim);
        q_ = random_values(dtype_, q_values, 1, 2.0F);
        k_ = random_values(dtype_, kv_values, 2, 2.0F);
        v_ = random_values(dtype_, kv_values, 3);
        o_ = DeviceMemory(q_values * size_of(dtype_));
        table_ = to_device(shuffled_pages(all_pages));
        arguments_.q = q_.as();
        arguments_.k_pages = k_.as();
        arguments_.v_pages = v_.as();
        arguments_.o = o_.as();
        arguments_.table = table_.as<std::int32_t>();
        arguments_.batch = static_cast<int>(s.batch);
        arguments_.kv = static_cast<int>(s.kv);
        arguments_.heads = static_cast<int>(s.heads);
        arguments_.kv_heads = static_cast<int>(s.kv_heads);
        arguments_.head_dim = static_cast<int>(s.head_dim);
        arguments_.page_tokens = static_cast<int>(page_tokens);
        arguments_.pages_per_sequence = static_cast<int>(pages);
        arguments_.q_row = s.heads * s.head_dim;
        splits_ = decode_splits(dtype_, arguments_);
        partial_ = DeviceMemory(decode_scratch_floats(arguments_, splits_) * sizeof(float));
        arguments_.partial = partial_.as<float>();
    }

    double error() override {
        poison(o_);
        run_plainly();
        constexpr int samples = 64;
        AttentionOutput output;
        output.dtype = dtype_;
        output.dense.q = arguments_.q;
        output.dense.k = arguments_.k_pages;
        output.dense.v = arguments_.v_pages;
        output.dense.o = arguments_.o;
        output.dense.batch = arguments_.batch;
        output.dense.query = 1;
        output.dense.kv = arguments_.kv;
        output.dense.heads = arguments_.heads;
        output.dense.kv_heads = arguments_.kv_heads;
        output.dense.head_dim = arguments_.head_dim;
        output.dense.q_row = arguments_.q_row;
        output.table = arguments_.table;
        output.page_tokens = arguments_.page_tokens;
        output.pages_per_sequence = arguments_.pages_per_sequence;
        return attention_deviation(output, samples, 4);
    }
    [[nodiscard]] double tolerance() const override { return attention_tolerance(dtype_); }

  protected:
    void launch(cudaStream_t stream, int copy) override {
        DecodeArguments of_copy = arguments_;
        of_copy.table += static_cast<std::size_t>(copy) * table_entries_;
        attention_decode(dtype_, of_copy, splits_, stream);
    }

  private:
    static int copies(const KernelPoint& point) {
        const KernelShape& s = point.shape;
        return copies_for(point.cold, static_cast<std::size_t>(2 * s.batch * s.kv * s.kv_heads * s.head_dim) *
                                          size_of(dtype_of(point.dtype)));
    }

    Dtype dtype_;
    std::size_t table_entries_ = 0;
    int splits_ = 1;
    DeviceMemory q_, k_, v_, o_, table_, partial_;
    DecodeArguments arguments_;
};

std::vector<KernelPoint> points(bool quick) {
    struct Heads {
        std::int64_t query, kv, size;
    };
    const std::string dtype = device_limits().capability >= 80 ? "bf16" : "fp16";
    const std::vector<Heads> heads =
        quick ? std::vector<Heads>{{32, 8, 128}, {32, 32, 128}}
              : std::vector<Heads>{{32, 8, 128}, {32, 32, 128}, {8, 1, 128}, {64, 8, 128}, {32, 8, 64}, {16, 8, 256}};
    const std::vector<std::int64_t> batches =
        quick ? std::vector<std::int64_t>{1, 16, 128} : std::vector<std::int64_t>{1, 2, 4, 8, 16, 32, 64, 128, 256};
    const std::vector<std::int64_t> contexts =
        quick ? std::vector<std::int64_t>{512, 4096, 32768}
              : std::vector<std::int64_t>{256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 131072};
    constexpr double most_bytes = 8e9;
    std::vector<KernelPoint> result;
    for (const auto& [query, kv, size] : heads)
        for (const auto batch : batches)
            for (const auto context : contexts) {
                const double bytes = 4.0 * static_cast<double>(batch * context * kv * size);
                if (bytes > std::min(most_bytes, static_cast<double>(device_limits().memory_bytes) / 2)) continue;
                KernelPoint point{KernelClass::attention_decode, "paged", dtype, dtype, {}, true};
                point.shape.batch = batch;
                point.shape.query = 1;
                point.shape.kv = context;
                point.shape.heads = query;
                point.shape.kv_heads = kv;
                point.shape.head_dim = size;
                result.push_back(point);
            }
    return result;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& point) {
    return std::make_unique<Decode>(point);
}

}  // namespace

void register_attention_decode(Registry<Microbenchmark>& registry) {
    registry.add("attention_decode",
                 {"attention of one token over a paged cache (pages of 16 tokens in no order) by our own split-KV "
                  "kernel, grouped heads of 64, 128 or 256 elements, fp16 and bf16",
                  points, prepare});
}

}  // namespace plimsoll
