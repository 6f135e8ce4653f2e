#pragma once
#include <cstddef>
#include <cstdint>

#include <cublasLt.h>

#include "calibrate/cuda/device.hpp"

namespace plimsoll::cuda {

/// y[m, n] = x[m, k] w[n, k]^T by cuBLASLt with the first algorithm of its heuristics, as serving engines call it; row
/// major. fp16 and bf16 stay so, fp8 (e4m3, scales of 1, fast accumulation) gives bf16, int8 gives int32.
class Matmul {
  public:
    /// Throws std::runtime_error where the device or the library has no such product.
    Matmul(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k);
    Matmul(const Matmul&) = delete;
    Matmul& operator=(const Matmul&) = delete;
    ~Matmul();

    void operator()(const void* x, const void* w, void* y, cudaStream_t stream) const;
    [[nodiscard]] static Dtype output(Dtype dtype);

  private:
    void describe(std::int64_t m, std::int64_t n, std::int64_t k);
    void choose();
    void release();

    Dtype dtype_;
    cublasLtMatmulDesc_t product_ = nullptr;
    cublasLtMatrixLayout_t weights_ = nullptr, activations_ = nullptr, result_ = nullptr;
    cublasLtMatmulAlgo_t algorithm_{};
    std::size_t workspace_bytes_ = 0;
};

/// Deviation of `samples` entries of y, chosen by `seed`, from products in double precision (see
/// relative_deviation).
[[nodiscard]] double matmul_deviation(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const void* x,
                                      const void* w, const void* y, int samples, std::uint64_t seed);
/// Deviation that rounding explains.
[[nodiscard]] double matmul_tolerance(Dtype dtype, std::int64_t k);

}  // namespace plimsoll::cuda
