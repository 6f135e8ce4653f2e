#include <array>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/matmul.hpp"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll {
namespace {

using namespace cuda;

class Gemm final : public TimedKernel {
  public:
    explicit Gemm(const KernelPoint& point)
        : TimedKernel(point.cold, copies_for(point.cold, weight_bytes(point))),
          dtype_(dtype_of(point.dtype)),
          shape_(point.shape),
          product_(dtype_, shape_.m, shape_.n, shape_.k),
          x_(random_values(dtype_, static_cast<std::size_t>(shape_.m * shape_.k), 1)),
          w_(random_values(dtype_, static_cast<std::size_t>(shape_.n * shape_.k) * copies(point), 2)),
          y_(static_cast<std::size_t>(shape_.m * shape_.n) * size_of(Matmul::output(dtype_))) {}

    double error() override {
        poison(y_);
        run_plainly();
        constexpr int samples = 512;
        return matmul_deviation(dtype_, shape_.m, shape_.n, shape_.k, x_.as(), w_.as(), y_.as(), samples, 3);
    }
    [[nodiscard]] double tolerance() const override { return matmul_tolerance(dtype_, shape_.k); }

  protected:
    // The weights come from memory in service, the activations from the kernel before.
    void launch(cudaStream_t stream, int copy) override {
        const auto offset = static_cast<std::size_t>(copy * shape_.n * shape_.k) * size_of(dtype_);
        product_(x_.as(), w_.as(offset), y_.as(), stream);
    }

  private:
    static std::size_t weight_bytes(const KernelPoint& point) {
        return static_cast<std::size_t>(point.shape.n * point.shape.k) * size_of(dtype_of(point.dtype));
    }
    static std::size_t copies(const KernelPoint& point) {
        return static_cast<std::size_t>(copies_for(point.cold, weight_bytes(point)));
    }

    Dtype dtype_;
    KernelShape shape_;
    Matmul product_;
    DeviceMemory x_, w_, y_;
};

std::vector<std::string> dtypes() {
    std::vector<std::string> known{"fp16"};
    const int capability = device_limits().capability;
    if (capability >= 80) known.insert(known.begin(), "bf16");
    if (capability >= 89) known.emplace_back("fp8");
    if (capability >= 75) known.emplace_back("int8");
    return known;
}

/// Spread over m rather than over weights, which generalise (measured on public kernels: eight such points predict the
/// rest within 6-8 %); the first two weights lie at the two ends of a model of 7 to 70 billion parameters.
std::vector<KernelPoint> points(bool quick) {
    constexpr std::array<std::int64_t, 8> few{1, 16, 64, 256, 512, 1024, 4096, 16384};
    constexpr std::array<std::int64_t, 22> many{1,   2,   4,   8,   16,  24,   32,   48,   64,   96,   128,
                                                192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192, 16384};
    using Weights = std::pair<std::int64_t, std::int64_t>;
    const std::vector<Weights> weights =
        quick ? std::vector<Weights>{{4096, 4096}, {12288, 8192}}
              : std::vector<Weights>{{4096, 4096},  {12288, 8192}, {1024, 4096},  {6144, 4096},
                                     {28672, 4096}, {4096, 14336}, {22016, 4096}, {4096, 11008},
                                     {10240, 8192}, {57344, 8192}, {8192, 28672}};
    std::vector<KernelPoint> result;
    for (const auto& dtype : dtypes())
        for (const auto& [n, k] : weights) {
            const auto add = [&, n = n, k = k](std::int64_t m) {
                KernelPoint point{KernelClass::gemm, "cublaslt", dtype, "", {}, true};
                point.shape.m = m;
                point.shape.n = n;
                point.shape.k = k;
                result.push_back(point);
            };
            if (quick)
                for (const auto m : few) add(m);
            else
                for (const auto m : many) add(m);
        }
    return result;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& point) {
    if (point.dtype == "w4a16") throw std::runtime_error("cuBLASLt has no product of 4-bit weights with fp16");
    return std::make_unique<Gemm>(point);
}

}  // namespace

void register_gemm(Registry<Microbenchmark>& registry) {
    registry.add("gemm", {"dense products by cuBLASLt: fp16, bf16, fp8 (e4m3 to bf16) and int8 (to int32), both of "
                          "weights and activations; it has no w4a16",
                          points, prepare});
}

}  // namespace plimsoll
