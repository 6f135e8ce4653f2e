#pragma once
#include <cstdint>

#include "calibrate/cuda/mma.cuh"

/// Products of a warpgroup (four warps, compute capability 9.0, sm_90a), asynchronous, their right operands in shared
/// memory: PTX ISA 8.x, "Asynchronous Warpgroup Level Matrix Instructions". The host emulation has its own.
namespace plimsoll::cuda {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define PLIMSOLL_WGMMA 1
#else
#define PLIMSOLL_WGMMA 0  // the host refuses other devices
#endif

/// What this thread wrote to shared memory is there for the products, once a barrier has passed.
__device__ inline void show_to_products() {
#if PLIMSOLL_WGMMA
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}
/// Before products: registers that they take were written.
__device__ inline void begin_products() {
#if PLIMSOLL_WGMMA
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
__device__ inline void end_products() {
#if PLIMSOLL_WGMMA
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
/// Waits until at most `Pending` groups of products, from begin to end, are under way.
template <int Pending>
__device__ void wait_products() {
#if PLIMSOLL_WGMMA
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
#endif
}
/// Keeps what comes after it in the program from reading these sums before it.
template <int Count>
__device__ void hold(float (&sums)[Count]) {
#pragma unroll
    for (float& sum : sums) asm volatile("" : "+f"(sum)::"memory");
}

/// Describes a right operand: rows of 64 elements of 2 bytes whose chunks are permuted (fragments.hpp), from
/// `operand` on, which lies in a tile at a multiple of 1024 bytes; 8 rows below are 1024 bytes further.
__device__ inline std::uint64_t describe_operand(const uint4* operand) {
    constexpr std::uint64_t swizzle_of_128_bytes = std::uint64_t{1} << 62, rows_of_8 = std::uint64_t{1024 >> 4} << 32;
    constexpr std::uint64_t unused_leading_offset = std::uint64_t{1} << 16;
    return swizzle_of_128_bytes | rows_of_8 | unused_leading_offset | ((shared_address(operand) >> 4) & 0x3fffU);
}

/// The one that begins `chunks` of 16 bytes further.
__device__ inline std::uint64_t further_operand(std::uint64_t operand, int chunks) {
    return operand + static_cast<std::uint64_t>(chunks);
}

#define PLIMSOLL_SUMS(i)                                                                                          \
    "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3]), "+f"(sums[i + 4]), "+f"(sums[i + 5]), \
        "+f"(sums[i + 6]), "+f"(sums[i + 7])

/// sums[64, 64] = a[64, 16] b, or that added to them; elements of a warp's 16 rows as in eight results of m16n8k16 side
/// by side. b is [64 columns][16] in its rows, Transposed: [16][64 columns].
template <bool Transposed>
__device__ void multiply_group(float (&sums)[32], const std::uint32_t (&a)[4], std::uint64_t b, bool adds, Half) {
#if PLIMSOLL_WGMMA
    asm volatile(
        "{\n.reg .pred adds;\nsetp.ne.b32 adds, %37, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, adds, 1, 1, %38;\n}\n"
        : PLIMSOLL_SUMS(0), PLIMSOLL_SUMS(8), PLIMSOLL_SUMS(16), PLIMSOLL_SUMS(24)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(adds ? 1 : 0), "n"(Transposed ? 1 : 0));
#else
    __trap();
#endif
}
template <bool Transposed>
__device__ void multiply_group(float (&sums)[32], const std::uint32_t (&a)[4], std::uint64_t b, bool adds, Bfloat) {
#if PLIMSOLL_WGMMA
    asm volatile(
        "{\n.reg .pred adds;\nsetp.ne.b32 adds, %37, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, adds, 1, 1, %38;\n}\n"
        : PLIMSOLL_SUMS(0), PLIMSOLL_SUMS(8), PLIMSOLL_SUMS(16), PLIMSOLL_SUMS(24)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(adds ? 1 : 0), "n"(Transposed ? 1 : 0));
#else
    __trap();
#endif
}

#undef PLIMSOLL_SUMS

}  // namespace plimsoll::cuda
