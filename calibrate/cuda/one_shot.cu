#include <algorithm>
#include <stdexcept>

#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/numeric.cuh"
#include "calibrate/cuda/one_shot.hpp"

namespace plimsoll::cuda {
namespace {

constexpr int threads = 512;
constexpr unsigned long long longest_wait_ns = 2'000'000'000;

__device__ void store_release(unsigned* flag, unsigned value) {
    asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(flag), "r"(value) : "memory");
}
__device__ unsigned load_acquire(const unsigned* flag) {
    unsigned value;
    asm volatile("ld.acquire.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(flag) : "memory");
    return value;
}

/// Block `block` of every rank has come here: each tells all the others through a flag of its own in their memory. A
/// rank cannot be a whole round ahead, as it would need this one's word in the other phase, so equality is enough.
__device__ void meet(const OneShot& exchange, int rank, int block, int phase, unsigned round) {
    __syncthreads();
    const int peer = static_cast<int>(threadIdx.x);
    if (peer < exchange.ranks) {
        const int row = (phase * OneShot::most_blocks + block) * OneShot::most_ranks;
        store_release(exchange.flags[peer] + row + rank, round);
        unsigned long long start = 0, now = 0;
        asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
        while (load_acquire(exchange.flags[rank] + row + peer) != round) {
            asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
            if (now - start > longest_wait_ns) __trap();
        }
    }
    __syncthreads();
}

/// Grid: blocks, ranks on this device.
template <class T>
__global__ void __launch_bounds__(threads) reduce(OneShot exchange, int first) {
    const int rank = first + static_cast<int>(blockIdx.y), block = static_cast<int>(blockIdx.x);
    unsigned* const rounds = exchange.flags[rank] + 2 * OneShot::most_blocks * OneShot::most_ranks;
    const unsigned round = rounds[block] + 1;
    meet(exchange, rank, block, 0, round);  // all inputs are written
    const std::size_t chunks = exchange.count / 8, stride = std::size_t{gridDim.x} * threads;
    for (std::size_t i = std::size_t{blockIdx.x} * threads + threadIdx.x; i < chunks; i += stride) {
        float sums[8] = {};
        for (int peer = 0; peer < exchange.ranks; ++peer) {
            const uint4 chunk = static_cast<const uint4*>(exchange.inputs[peer])[i];
            const T* const values = reinterpret_cast<const T*>(&chunk);
#pragma unroll
            for (int e = 0; e < 8; ++e) sums[e] += to_float(values[e]);
        }
        uint4 result;
        T* const values = reinterpret_cast<T*>(&result);
#pragma unroll
        for (int e = 0; e < 8; ++e) values[e] = from_float<T>(sums[e]);
        static_cast<uint4*>(exchange.outputs[rank])[i] = result;
    }
    meet(exchange, rank, block, 1, round);  // all have read: inputs may be overwritten
    if (threadIdx.x == 0) rounds[block] = round;
}

}  // namespace

void one_shot_all_reduce(Dtype dtype, const OneShot& exchange, int first, int here, cudaStream_t stream) {
    if (exchange.ranks < 2 || exchange.ranks > OneShot::most_ranks || exchange.count % 8 != 0)
        throw std::runtime_error("a one-shot all-reduce takes 2 to 8 ranks and a multiple of 8 elements");
    const std::size_t wanted = (exchange.count / 8 + threads - 1) / threads;
    const dim3 grid(static_cast<unsigned>(std::clamp<std::size_t>(wanted, 1, OneShot::most_blocks)),
                    static_cast<unsigned>(here));
    with_16_bit(dtype, [&]<class T>(T) { start_kernel(reduce<T>, {grid, threads, 0, stream}, exchange, first); });
    check_launch("one-shot all-reduce");
}

}  // namespace plimsoll::cuda
