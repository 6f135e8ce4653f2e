#include "calibrate/cuda/attention.hpp"
#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll {
namespace {

using namespace cuda;

class Prefill final : public TimedKernel {
  public:
    explicit Prefill(const KernelPoint& point)
        : TimedKernel(point.cold, 1), dtype_(dtype_of(point.dtype)), path_(point.path) {
        const KernelShape& s = point.shape;
        const auto q_values = static_cast<std::size_t>(s.batch * s.query * s.heads * s.head_dim);
        const auto kv_values = static_cast<std::size_t>(s.batch * s.kv * s.kv_heads * s.head_dim);
        // Scores of a few units, as trained heads have: the weights are neither flat nor of one key alone.
        q_ = random_values(dtype_, q_values, 1, 2.0F);
        k_ = random_values(dtype_, kv_values, 2, 2.0F);
        v_ = random_values(dtype_, kv_values, 3);
        o_ = DeviceMemory(q_values * size_of(dtype_));
        arguments_.q = q_.as();
        arguments_.k = k_.as();
        arguments_.v = v_.as();
        arguments_.o = o_.as();
        arguments_.batch = static_cast<int>(s.batch);
        arguments_.query = static_cast<int>(s.query);
        arguments_.kv = static_cast<int>(s.kv);
        arguments_.heads = static_cast<int>(s.heads);
        arguments_.kv_heads = static_cast<int>(s.kv_heads);
        arguments_.head_dim = static_cast<int>(s.head_dim);
        arguments_.q_row = s.heads * s.head_dim;
        arguments_.kv_row = s.kv_heads * s.head_dim;
    }

    double error() override {
        poison(o_);
        run_plainly();
        constexpr int samples = 64;
        AttentionOutput output;
        output.dtype = dtype_;
        output.dense = arguments_;
        return attention_deviation(output, samples, 4);
    }
    [[nodiscard]] double tolerance() const override { return attention_tolerance(dtype_); }

  protected:
    void launch(cudaStream_t stream, int) override { attention_prefill_of(path_, dtype_, arguments_, stream); }

  private:
    Dtype dtype_;
    std::string path_;
    DeviceMemory q_, k_, v_, o_;
    PrefillArguments arguments_;
};

KernelPoint point_of(std::int64_t batch, std::int64_t query, std::int64_t kv, std::int64_t heads, std::int64_t kv_heads,
                     std::int64_t head_dim) {
    const std::string dtype = device_limits().capability >= 80 ? "bf16" : "fp16";
    // Keys and values of a whole prompt were just written; those of a context before it were not.
    const std::string path = prefill_path(dtype_of(dtype), static_cast<int>(head_dim));
    KernelPoint point{KernelClass::attention_prefill, path, dtype, dtype, {}, kv > query};
    point.shape.batch = batch;
    point.shape.query = query;
    point.shape.kv = kv;
    point.shape.heads = heads;
    point.shape.kv_heads = kv_heads;
    point.shape.head_dim = head_dim;
    return point;
}

/// Whole prompts and chunks that follow a context apart, as their curves differ.
std::vector<KernelPoint> points(bool quick) {
    std::vector<KernelPoint> result;
    const std::vector<std::int64_t> queries =
        quick ? std::vector<std::int64_t>{128, 1024, 4096}
              : std::vector<std::int64_t>{128, 256, 512, 1024, 2048, 4096, 8192, 16384};
    for (const auto query : queries) {
        result.push_back(point_of(1, query, query, 32, 8, 128));
        result.push_back(point_of(1, query, query, 32, 32, 128));
        if (quick) continue;
        result.push_back(point_of(1, query, query, 8, 1, 128));
        result.push_back(point_of(1, query, query, 64, 8, 128));
        result.push_back(point_of(1, query, query, 32, 8, 64));
        result.push_back(point_of(1, query, query, 16, 8, 256));
        if (query <= 2048) result.push_back(point_of(8, query, query, 32, 8, 128));
    }
    for (const auto context : quick ? std::vector<std::int64_t>{8192} : std::vector<std::int64_t>{2048, 8192, 32768}) {
        result.push_back(point_of(1, 512, context, 32, 8, 128));
        if (!quick) result.push_back(point_of(1, 2048, context, 32, 32, 128));
        if (!quick) result.push_back(point_of(4, 256, context, 32, 8, 128));
    }
    return result;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& point) {
    return std::make_unique<Prefill>(point);
}

}  // namespace

void register_attention_prefill(Registry<Microbenchmark>& registry) {
    registry.add("attention_prefill",
                 {"causal attention of a prompt or a chunk by our own tensor-core kernels, grouped heads of 64, 128 or "
                  "256 elements, fp16 and bf16",
                  points, prepare});
}

}  // namespace plimsoll
