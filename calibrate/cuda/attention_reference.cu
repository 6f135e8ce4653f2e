#include <cmath>

#include "calibrate/cuda/attention.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/numeric.cuh"

namespace plimsoll::cuda {
namespace {

constexpr int threads = 256;

/// Row (query token and head) number `sample`: the first and the last of all, the others by hash.
__device__ std::int64_t row_of(int sample, int samples, std::int64_t rows, std::uint64_t seed) {
    if (sample == 0) return 0;
    if (sample == samples - 1) return rows - 1;
    return static_cast<std::int64_t>(hashed(seed, sample) % static_cast<std::uint64_t>(rows));
}

/// Where key or value number `token` of a sequence starts, in elements.
__device__ std::int64_t place(const AttentionOutput& o, std::int64_t sequence, int token) {
    if (o.table == nullptr) return (sequence * o.dense.kv + token) * o.dense.kv_row;
    const std::int64_t page = o.table[sequence * o.pages_per_sequence + token / o.page_tokens];
    return (page * o.page_tokens + token % o.page_tokens) * o.dense.kv_heads * o.dense.head_dim;
}

__device__ double sum_of_block(double value, double* shared) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = threads / 2; half > 0; half /= 2) {
        if (static_cast<int>(threadIdx.x) < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    const double sum = shared[0];
    __syncthreads();
    return sum;
}

__device__ double largest_of_block(double value, double* shared) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = threads / 2; half > 0; half /= 2) {
        if (static_cast<int>(threadIdx.x) < half)
            shared[threadIdx.x] = fmax(shared[threadIdx.x], shared[threadIdx.x + half]);
        __syncthreads();
    }
    const double largest = shared[0];
    __syncthreads();
    return largest;
}

/// One block a sample, in two passes over `weights` [samples, kv]; values and references are [samples, head_dim].
template <class T>
__global__ void sampled_rows(AttentionOutput output, std::uint64_t seed, double* weights, double* values,
                             double* references) {
    __shared__ double shared[threads];
    const PrefillArguments& a = output.dense;
    const std::int64_t row =
        row_of(blockIdx.x, gridDim.x, static_cast<std::int64_t>(a.batch) * a.query * a.heads, seed);
    const std::int64_t token = row / a.heads, sequence = token / a.query;
    const int head = static_cast<int>(row % a.heads), kv_head = head / (a.heads / a.kv_heads);
    const int seen = a.kv - a.query + static_cast<int>(token % a.query) + 1;
    const T* const q = static_cast<const T*>(a.q) + token * a.q_row + head * a.head_dim;
    double* const mine = weights + std::int64_t{blockIdx.x} * a.kv;

    double largest = -INFINITY;
    for (int t = threadIdx.x; t < seen; t += threads) {
        const T* const k = static_cast<const T*>(a.k) + place(output, sequence, t) + kv_head * a.head_dim;
        double score = 0;
        for (int d = 0; d < a.head_dim; ++d) score += to_double(q[d]) * to_double(k[d]);
        mine[t] = score / sqrt(static_cast<double>(a.head_dim));
        largest = fmax(largest, mine[t]);
    }
    largest = largest_of_block(largest, shared);
    double sum = 0;
    for (int t = threadIdx.x; t < seen; t += threads) {
        mine[t] = exp(mine[t] - largest);
        sum += mine[t];
    }
    sum = sum_of_block(sum, shared);
    for (int d = threadIdx.x; d < a.head_dim; d += threads) {
        double weighted = 0;
        for (int t = 0; t < seen; ++t)
            weighted += mine[t] *
                        to_double((static_cast<const T*>(a.v) + place(output, sequence, t) + kv_head * a.head_dim)[d]);
        const std::int64_t at = std::int64_t{blockIdx.x} * a.head_dim + d;
        references[at] = weighted / sum;
        values[at] = to_double(static_cast<const T*>(a.o)[row * a.head_dim + d]);
    }
}

}  // namespace

double attention_deviation(const AttentionOutput& output, int samples, std::uint64_t seed) {
    const auto count = static_cast<std::size_t>(samples) * static_cast<std::size_t>(output.dense.head_dim);
    const DeviceMemory weights(static_cast<std::size_t>(samples) * static_cast<std::size_t>(output.dense.kv) *
                               sizeof(double));
    const DeviceMemory values(count * sizeof(double)), references(count * sizeof(double));
    with_16_bit(output.dtype, [&]<class T>(T) {
        start_kernel(sampled_rows<T>, {samples, threads}, output, seed, weights.as<double>(), values.as<double>(),
                     references.as<double>());
    });
    check_launch("attention in double precision");
    return relative_deviation(to_host<double>(values.as(), count), to_host<double>(references.as(), count));
}

double attention_tolerance(Dtype dtype) {
    // The weights are rounded to the type before they meet the values, the output after: each a relative 2^-11 (fp16)
    // or 2^-8 (bf16) at most, and the rounded weights' errors cancel in part.
    return dtype == Dtype::bf16 ? 1.6e-2 : 4e-3;
}

}  // namespace plimsoll::cuda
