#pragma once
#include <cstdint>
#include <stdexcept>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include "calibrate/cuda/dtype.hpp"

namespace plimsoll::cuda {

using Half = __half;
using Bfloat = __nv_bfloat16;
using Float8 = __nv_fp8_e4m3;

__device__ inline float to_float(Half value) {
    return __half2float(value);
}
__device__ inline float to_float(Bfloat value) {
    return __bfloat162float(value);
}
__device__ inline float to_float(Float8 value) {
    return static_cast<float>(value);
}
__device__ inline float to_float(float value) {
    return value;
}
template <class T>
__device__ double to_double(T value) {
    return static_cast<double>(to_float(value));
}
__device__ inline double to_double(std::int8_t value) {
    return value;
}
__device__ inline double to_double(std::int32_t value) {
    return value;
}

template <class T>
__device__ T from_float(float value);
template <>
__device__ inline Half from_float<Half>(float value) {
    return __float2half_rn(value);
}
template <>
__device__ inline Bfloat from_float<Bfloat>(float value) {
    return __float2bfloat16_rn(value);
}
template <>
__device__ inline Float8 from_float<Float8>(float value) {
    return Float8(value);
}
template <>
__device__ inline float from_float<float>(float value) {
    return value;
}

/// Two neighbours as one 32-bit register, the first in the lower half.
__device__ inline std::uint32_t pack(float low, float high, Half) {
    const __half2 both = __floats2half2_rn(low, high);
    return reinterpret_cast<const std::uint32_t&>(both);
}
__device__ inline std::uint32_t pack(float low, float high, Bfloat) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return reinterpret_cast<const std::uint32_t&>(both);
}

/// Over the four lanes that hold one row of a result.
__device__ inline float row_maximum(float value) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffU, value, 1));
    return fmaxf(value, __shfl_xor_sync(0xffffffffU, value, 2));
}
__device__ inline float row_sum(float value) {
    value += __shfl_xor_sync(0xffffffffU, value, 1);
    return value + __shfl_xor_sync(0xffffffffU, value, 2);
}

/// Calls with a value of the 16-bit type; throws std::runtime_error for another.
template <class Call>
void with_16_bit(Dtype dtype, Call&& call) {
    if (dtype == Dtype::fp16)
        call(Half{});
    else if (dtype == Dtype::bf16)
        call(Bfloat{});
    else
        throw std::runtime_error("this kernel exists for fp16 and bf16 alone");
}

/// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014) as a hash.
__host__ __device__ inline std::uint64_t hashed(std::uint64_t seed, std::uint64_t index) {
    std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/// Uniform in [-1, 1).
__host__ __device__ inline float symmetric(std::uint64_t bits) {
    return static_cast<float>(bits >> 40) * 0x1p-23F - 1.0F;
}

}  // namespace plimsoll::cuda
