#pragma once
#include <cstdint>

#include <cuda_runtime_api.h>

#include "calibrate/cuda/device.hpp"

/// The kernels between the products of a decoder layer; fp16 and bf16, rows 16-byte aligned, widths multiples of 8.
namespace plimsoll::cuda {

/// y = x / rms(x) x weight by rows of `width`; with `residual`, residual += x comes first and is what is normed.
struct NormArguments {
    const void* x = nullptr;
    void* residual = nullptr;
    const void* weight = nullptr;
    void* y = nullptr;
    std::int64_t rows = 0, width = 0;
    float epsilon = 1e-5F;
};
void rms_norm(Dtype dtype, const NormArguments& arguments, cudaStream_t stream);

/// Rotates in place the `heads` heads at the start of each row of x (rows `row_stride` elements apart) by the angles of
/// its position, element i with element i + head_dim / 2; table is [positions, head_dim / 2] of (cosine, sine) as fp32.
struct RopeArguments {
    void* x = nullptr;
    const float2* table = nullptr;
    const std::int32_t* positions = nullptr;
    std::int64_t rows = 0, row_stride = 0;
    int heads = 0, head_dim = 0;
};
void rope(Dtype dtype, const RopeArguments& arguments, cudaStream_t stream);

/// y[rows, width] = silu(x[:, :width]) x[:, width:], x [rows, 2 x width].
void silu_multiply(Dtype dtype, const void* x, void* y, std::int64_t rows, std::int64_t width, cudaStream_t stream);

/// Copies `width` elements (all KV heads) of each row of k and v, rows `row_stride` apart, to the pages' token number
/// slots[row].
struct KvWriteArguments {
    const void* k = nullptr;
    const void* v = nullptr;
    void* k_pages = nullptr;
    void* v_pages = nullptr;
    const std::int32_t* slots = nullptr;
    std::int64_t rows = 0, row_stride = 0, width = 0;
};
void kv_write(Dtype dtype, const KvWriteArguments& arguments, cudaStream_t stream);

}  // namespace plimsoll::cuda
