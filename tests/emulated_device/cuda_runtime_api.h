#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tests/emulated_device/emulator.hpp"

/// As much of CUDA's run time and of its language as the kernels under test use.
#define __global__
#define __device__
#define __host__
#define __shared__ static  // one block runs at a time
#define __launch_bounds__(...)
#define __syncthreads() ::plimsoll::emulated::block_barrier()
#define threadIdx (::plimsoll::emulated::thread_index)
#define blockIdx (::plimsoll::emulated::block_index)
#define blockDim (::plimsoll::emulated::block_size)
#define gridDim (::plimsoll::emulated::grid_size)

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
    return {x, y, z, w};
}
struct alignas(8) float2 {
    float x, y;
};
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

using std::max;
using std::min;

template <class T>
T __shfl_xor_sync(unsigned, T value, int distance) {
    struct Operands {
        T mine, other;
    } operands{value, value};
    plimsoll::emulated::together(operands, [&](const auto& all) {
        for (std::size_t lane = 0; lane < 32; ++lane)
            all[lane]->other = all[lane ^ static_cast<std::size_t>(distance)]->mine;
    });
    return operands.other;
}
template <class T>
T __shfl_up_sync(unsigned, T value, int distance) {
    struct Operands {
        T mine, other;
    } operands{value, value};
    plimsoll::emulated::together(operands, [&](const auto& all) {
        for (std::size_t lane = static_cast<std::size_t>(distance); lane < 32; ++lane)
            all[lane]->other = all[lane - static_cast<std::size_t>(distance)]->mine;
    });
    return operands.other;
}
template <class T>
T __shfl_sync(unsigned, T value, int from) {
    struct Operands {
        T mine, other;
        std::size_t from;
    } operands{value, value, static_cast<std::size_t>(from) % 32};
    plimsoll::emulated::together(operands, [&](const auto& all) {
        for (auto* const one : all) one->other = all[one->from]->mine;
    });
    return operands.other;
}
inline void __syncwarp() {
    int nothing = 0;
    plimsoll::emulated::together(nothing, [](const auto&) {});
}
template <class T>
T atomicAdd(T* to, T value) {
    const T before = *to;
    *to += value;
    return before;
}
inline unsigned atomicXor(unsigned* to, unsigned value) {
    const unsigned before = *to;
    *to ^= value;
    return before;
}
inline unsigned atomicMin(unsigned* to, unsigned value) {
    const unsigned before = *to;
    *to = std::min(*to, value);
    return before;
}
inline float __expf(float x) {
    return std::exp(x);
}
inline float rsqrtf(float x) {
    return 1.0F / std::sqrt(x);
}
inline unsigned __float_as_uint(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}
inline float __uint_as_float(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

enum cudaError_t {
    cudaSuccess,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidValue = 1,
    cudaErrorECCUncorrectable = 214,
    cudaErrorNvlinkUncorrectable = 220,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchTimeout = 702,
    cudaErrorAssert = 710,
    cudaErrorHardwareStackError = 714,
    cudaErrorIllegalInstruction,
    cudaErrorMisalignedAddress,
    cudaErrorInvalidAddressSpace,
    cudaErrorInvalidPc,
    cudaErrorLaunchFailure,
    cudaErrorUnknown = 999
};
using cudaStream_t = struct EmulatedStream*;
using cudaEvent_t = struct EmulatedEvent*;
using cudaGraphExec_t = struct EmulatedGraph*;
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
constexpr unsigned cudaHostAllocDefault = 0;

struct cudaDeviceProp {
    char name[16] = "emulated";
    int major = 9, minor = 0, multiProcessorCount = 4, l2CacheSize = 1 << 20;
    std::size_t totalGlobalMem = std::size_t{1} << 28, sharedMemPerBlockOptin = 227 << 10;
};

/// The last launch's error, as the run time keeps it.
inline cudaError_t emulated_error = cudaSuccess;
inline cudaError_t cudaGetLastError() {
    const cudaError_t error = emulated_error;
    emulated_error = cudaSuccess;
    return error;
}
inline const char* cudaGetErrorName(cudaError_t) {
    return "an error of the emulation";
}
inline const char* cudaGetErrorString(cudaError_t) {
    return "see its cause";
}
inline cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
    *memory = plimsoll::emulated::guarded_memory(bytes);
    return cudaSuccess;
}
inline cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned) {
    return cudaMalloc(memory, bytes);
}
inline cudaError_t cudaFree(void* memory) {
    plimsoll::emulated::free_guarded(memory);
    return cudaSuccess;
}
inline cudaError_t cudaFreeHost(void* memory) {
    return cudaFree(memory);
}
inline cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
    std::memcpy(to, from, bytes);
    return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
    return cudaMemcpy(to, from, bytes, kind);
}
inline cudaError_t cudaMemset(void* memory, int value, std::size_t bytes) {
    std::memset(memory, value, bytes);
    return cudaSuccess;
}
inline cudaError_t cudaDeviceSynchronize() {
    return cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int) {
    return cudaSuccess;
}
inline cudaError_t cudaGetDeviceCount(int* count) {
    *count = 1;
    return cudaSuccess;
}
inline cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
    *can = 0;
    return cudaSuccess;
}
inline cudaError_t cudaDeviceEnablePeerAccess(int, unsigned) {
    return cudaErrorInvalidValue;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
    *properties = {};
    return cudaSuccess;
}
/// Dynamic shared memory past 48 KiB has to be asked for first, kernel by kernel.
std::size_t& allowed_shared_bytes(const void* kernel);
template <class Kernel>
std::size_t& allowed_shared_bytes(Kernel* kernel) {
    return allowed_shared_bytes(reinterpret_cast<const void*>(kernel));
}
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute, int bytes) {
    allowed_shared_bytes(kernel) = static_cast<std::size_t>(bytes);
    return cudaSuccess;
}
template <class Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel*, int, std::size_t shared_bytes) {
    *blocks = static_cast<int>((228U << 10) / (shared_bytes + 1024));
    return cudaSuccess;
}
