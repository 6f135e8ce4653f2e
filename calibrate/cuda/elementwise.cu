#include "calibrate/cuda/elementwise.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/numeric.cuh"

namespace plimsoll::cuda {
namespace {

/// Eight elements, loaded and stored as 16 bytes.
template <class T>
struct alignas(16) Eight {
    T values[8];
};

template <class T>
__device__ const Eight<T>* eights(const void* data) {
    return static_cast<const Eight<T>*>(data);
}
template <class T>
__device__ Eight<T>* eights(void* data) {
    return static_cast<Eight<T>*>(data);
}

constexpr int most_norm_threads = 1024;

__device__ float sum_of_block(float value) {
    __shared__ float of_warps[32];
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffU, value, distance);
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
    __syncthreads();
    float sum = 0;
    for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) sum += of_warps[warp];
    return sum;
}

/// One block a row.
template <class T>
__global__ void norm(NormArguments a) {
    const int chunks = static_cast<int>(a.width / 8);
    const std::int64_t first = std::int64_t{blockIdx.x} * chunks;
    const Eight<T>* const x = eights<T>(a.x) + first;
    Eight<T>* const residual = a.residual == nullptr ? nullptr : eights<T>(a.residual) + first;
    float squares = 0;
    for (int c = static_cast<int>(threadIdx.x); c < chunks; c += static_cast<int>(blockDim.x)) {
        Eight<T> row = x[c];
        if (residual != nullptr) {
            const Eight<T> before = residual[c];
#pragma unroll
            for (int i = 0; i < 8; ++i)
                row.values[i] = from_float<T>(to_float(row.values[i]) + to_float(before.values[i]));
            residual[c] = row;
        }
#pragma unroll
        for (const T value : row.values) squares += to_float(value) * to_float(value);
    }
    const float scale = rsqrtf(sum_of_block(squares) / static_cast<float>(a.width) + a.epsilon);
    const Eight<T>* const source = residual != nullptr ? residual : x;
    const Eight<T>* const weight = eights<T>(a.weight);
    Eight<T>* const y = eights<T>(a.y) + first;
    for (int c = static_cast<int>(threadIdx.x); c < chunks; c += static_cast<int>(blockDim.x)) {
        const Eight<T> row = source[c], factor = weight[c];
        Eight<T> result;
#pragma unroll
        for (int i = 0; i < 8; ++i)
            result.values[i] = from_float<T>(to_float(row.values[i]) * scale * to_float(factor.values[i]));
        y[c] = result;
    }
}

/// One block a row, one thread a pair at a time.
template <class T>
__global__ void rotate(RopeArguments a) {
    const int half = a.head_dim / 2;
    T* const row = static_cast<T*>(a.x) + std::int64_t{blockIdx.x} * a.row_stride;
    const float2* const angles = a.table + std::int64_t{a.positions[blockIdx.x]} * half;
    for (int pair = static_cast<int>(threadIdx.x); pair < a.heads * half; pair += static_cast<int>(blockDim.x)) {
        const int head = pair / half, i = pair % half;
        T& low = row[head * a.head_dim + i];
        T& high = row[head * a.head_dim + i + half];
        const float2 angle = angles[i];
        const float x = to_float(low), y = to_float(high);
        low = from_float<T>(x * angle.x - y * angle.y);
        high = from_float<T>(y * angle.x + x * angle.y);
    }
}

template <class T>
__global__ void gate(const Eight<T>* x, Eight<T>* y, std::int64_t chunks_of_row, std::int64_t chunks) {
    const std::int64_t index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (index >= chunks) return;
    const std::int64_t row = index / chunks_of_row, chunk = index % chunks_of_row;
    const Eight<T> gates = x[2 * row * chunks_of_row + chunk], ups = x[(2 * row + 1) * chunks_of_row + chunk];
    Eight<T> result;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        const float value = to_float(gates.values[i]);
        result.values[i] = from_float<T>(value / (1.0F + __expf(-value)) * to_float(ups.values[i]));
    }
    y[index] = result;
}

/// One block a row.
template <class T>
__global__ void write(KvWriteArguments a) {
    const std::int64_t from = std::int64_t{blockIdx.x} * (a.row_stride / 8);
    const std::int64_t to = std::int64_t{a.slots[blockIdx.x]} * (a.width / 8);
    for (std::int64_t c = threadIdx.x; c < a.width / 8; c += blockDim.x) {
        eights<T>(a.k_pages)[to + c] = eights<T>(a.k)[from + c];
        eights<T>(a.v_pages)[to + c] = eights<T>(a.v)[from + c];
    }
}

unsigned threads_for(std::int64_t items, int most) {
    unsigned threads = 32;
    while (threads < items && threads < static_cast<unsigned>(most)) threads *= 2;
    return threads;
}

}  // namespace

void rms_norm(Dtype dtype, const NormArguments& a, cudaStream_t stream) {
    with_16_bit(dtype, [&]<class T>(T) {
        start_kernel(norm<T>, {static_cast<unsigned>(a.rows), threads_for(a.width / 8, most_norm_threads), 0, stream},
                     a);
    });
    check_launch("rms norm");
}

void rope(Dtype dtype, const RopeArguments& a, cudaStream_t stream) {
    with_16_bit(dtype, [&]<class T>(T) {
        start_kernel(rotate<T>, {static_cast<unsigned>(a.rows), threads_for(a.heads * a.head_dim / 2, 512), 0, stream},
                     a);
    });
    check_launch("rope");
}

void silu_multiply(Dtype dtype, const void* x, void* y, std::int64_t rows, std::int64_t width, cudaStream_t stream) {
    constexpr unsigned threads = 256;
    const std::int64_t chunks = rows * width / 8;
    with_16_bit(dtype, [&]<class T>(T) {
        start_kernel(gate<T>, {static_cast<unsigned>((chunks + threads - 1) / threads), threads, 0, stream},
                     static_cast<const Eight<T>*>(x), static_cast<Eight<T>*>(y), width / 8, chunks);
    });
    check_launch("silu");
}

void kv_write(Dtype dtype, const KvWriteArguments& a, cudaStream_t stream) {
    with_16_bit(dtype, [&]<class T>(T) {
        start_kernel(write<T>, {static_cast<unsigned>(a.rows), threads_for(a.width / 8, 256), 0, stream}, a);
    });
    check_launch("kv write");
}

}  // namespace plimsoll::cuda
