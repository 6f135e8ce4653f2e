#pragma once
#include <cstdint>

#include <cuda_runtime_api.h>

#include "calibrate/cuda/device.hpp"

namespace plimsoll::cuda {

/// Rows that one block takes of one expert's.
struct ExpertTile {
    std::int32_t expert, first_row, rows;
};

/// out[row, n] = x[source[row], k] w[expert of row, n, k]^T for rows sorted by expert; fp16 or bf16, 16-byte aligned, k
/// a multiple of 64 and n of 8. `source` null: the row itself.
struct GroupedMatmul {
    const void* x = nullptr;
    const std::int32_t* source = nullptr;
    const void* w = nullptr;
    void* out = nullptr;
    const ExpertTile* tiles = nullptr;  ///< none with more rows than tile_rows
    int tile_count = 0, tile_rows = 0;  ///< 64 or 128
    std::int64_t n = 0, k = 0;
};
void grouped_matmul(Dtype dtype, const GroupedMatmul& arguments, cudaStream_t stream);

/// y[token, width] = sum over its `top_k` rows of weight[token, j] x[row[token, j], width].
struct ExpertSum {
    const void* x = nullptr;
    const std::int32_t* row = nullptr;
    const float* weight = nullptr;
    void* y = nullptr;
    std::int64_t tokens = 0, width = 0;
    int top_k = 0;
};
void expert_sum(Dtype dtype, const ExpertSum& arguments, cudaStream_t stream);

/// Deviations of sampled entries of the two from double precision, given the same inputs; `expert` is of each of the
/// `rows`.
[[nodiscard]] double grouped_deviation(Dtype dtype, const GroupedMatmul& done, const std::int32_t* expert,
                                       std::int64_t rows, int samples);
[[nodiscard]] double expert_sum_deviation(Dtype dtype, const ExpertSum& done, int samples);

}  // namespace plimsoll::cuda
