#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/device.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/numeric.cuh"

namespace plimsoll::cuda {
namespace {

template <class T>
__global__ void fill(T* data, std::size_t count, std::uint64_t seed, float amplitude) {
    const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
    for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride)
        data[i] = from_float<T>(amplitude * symmetric(hashed(seed, i)));
}

__global__ void fill_bytes(std::int8_t* data, std::size_t count, std::uint64_t seed) {
    const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
    for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride)
        data[i] = static_cast<std::int8_t>(static_cast<int>(hashed(seed, i) % 255) - 127);
}

__global__ void read_all(const uint4* data, std::size_t count, unsigned* never) {
    const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
    unsigned sum = 0;
    for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) {
        const uint4 v = data[i];
        sum += v.x + v.y + v.z + v.w;
    }
    // The data are zeros: the store keeps the loads alive and never happens.
    if (sum != 0) *never = sum;
}

/// After these "any further CUDA calls return the same error; the process must be terminated and relaunched" (CUDA
/// runtime API, cudaError_t).
bool is_final(cudaError_t status) {
    constexpr cudaError_t final_ones[] = {
        cudaErrorIllegalAddress,     cudaErrorLaunchTimeout,     cudaErrorAssert,    cudaErrorHardwareStackError,
        cudaErrorIllegalInstruction, cudaErrorMisalignedAddress, cudaErrorInvalidPc, cudaErrorInvalidAddressSpace,
        cudaErrorLaunchFailure,      cudaErrorECCUncorrectable,  cudaErrorUnknown,   cudaErrorNvlinkUncorrectable};
    return std::find(std::begin(final_ones), std::end(final_ones), status) != std::end(final_ones);
}

DeviceLimits read_limits() {
    DeviceLimits limits;
    check(cudaGetDevice(&limits.index), "which device");
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, limits.index), "device properties");
    limits.capability = 10 * properties.major + properties.minor;
    limits.multiprocessors = properties.multiProcessorCount;
    limits.l2_bytes = static_cast<std::size_t>(properties.l2CacheSize);
    limits.memory_bytes = properties.totalGlobalMem;
    limits.shared_bytes_per_block = properties.sharedMemPerBlockOptin;
    return limits;
}

}  // namespace

Dtype dtype_of(const std::string& name) {
    if (name == "fp16") return Dtype::fp16;
    if (name == "bf16") return Dtype::bf16;
    if (name == "fp8") return Dtype::fp8;
    if (name == "int8") return Dtype::int8;
    throw std::runtime_error("unknown dtype '" + name + "'; known: fp16, bf16, fp8, int8");
}

std::size_t size_of(Dtype dtype) {
    switch (dtype) {
        case Dtype::fp8:
        case Dtype::int8:
            return 1;
        case Dtype::int32:
        case Dtype::fp32:
            return 4;
        default:
            return 2;
    }
}

void check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    const std::string text = std::string(what) + ": " + cudaGetErrorName(status) + ", " + cudaGetErrorString(status);
    if (is_final(status)) throw DeviceLost(text);
    cudaGetLastError();  // the next kernel is not blamed for it
    throw std::runtime_error(text);
}

void check_launch(const char* kernel) {
    check(cudaGetLastError(), kernel);
}

const DeviceLimits& device_limits() {
    static const DeviceLimits limits = read_limits();
    return limits;
}

int device_count() {
    int count = 0;
    if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
    cudaGetLastError();
    return 0;
}

void require_capability(int capability, const std::string& what) {
    const int has = device_limits().capability;
    if (has >= capability) return;
    const auto text = [](int c) { return std::to_string(c / 10) + "." + std::to_string(c % 10); };
    throw std::runtime_error(what + " needs compute capability " + text(capability) + "; this device has " + text(has));
}

DeviceMemory::DeviceMemory(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    const cudaError_t status = cudaMalloc(&data_, bytes);
    if (status == cudaSuccess) return;
    cudaGetLastError();
    throw std::runtime_error(std::to_string(bytes) + " bytes on the device: " + cudaGetErrorString(status));
}

DeviceMemory::~DeviceMemory() {
    if (data_ != nullptr) cudaFree(data_);
}

DeviceMemory random_values(Dtype dtype, std::size_t count, std::uint64_t seed, float amplitude) {
    DeviceMemory memory(count * size_of(dtype));
    constexpr std::size_t threads = 256, most_blocks = 2048;
    const auto blocks = static_cast<unsigned>(std::clamp<std::size_t>(count / threads, 1, most_blocks));
    if (dtype == Dtype::fp16) start_kernel(fill<Half>, {blocks, threads}, memory.as<Half>(), count, seed, amplitude);
    if (dtype == Dtype::bf16)
        start_kernel(fill<Bfloat>, {blocks, threads}, memory.as<Bfloat>(), count, seed, amplitude);
    if (dtype == Dtype::fp8) start_kernel(fill<Float8>, {blocks, threads}, memory.as<Float8>(), count, seed, amplitude);
    if (dtype == Dtype::fp32) start_kernel(fill<float>, {blocks, threads}, memory.as<float>(), count, seed, amplitude);
    if (dtype == Dtype::int8) start_kernel(fill_bytes, {blocks, threads}, memory.as<std::int8_t>(), count, seed);
    check_launch("random values");
    check(cudaDeviceSynchronize(), "random values");
    return memory;
}

void poison(const DeviceMemory& memory) {
    check(cudaMemset(memory.as(), 0xff, memory.bytes()), "poison");
    check(cudaDeviceSynchronize(), "poison");
}

std::vector<double> numbers(Dtype dtype, const void* data, std::size_t count) {
    std::vector<double> values(count);
    with_16_bit(dtype, [&]<class T>(T) {
        const auto raw = to_host<T>(data, count);
        std::transform(raw.begin(), raw.end(), values.begin(), [](T value) { return static_cast<float>(value); });
    });
    return values;
}

int copies_for(bool cold, std::size_t bytes) {
    if (!cold) return 1;
    const std::size_t room = std::min(std::size_t{1} << 30, device_limits().memory_bytes / 8);
    return static_cast<int>(std::clamp<std::size_t>(room / std::max<std::size_t>(bytes, 1), 1, 64));
}

double relative_deviation(const std::vector<double>& values, const std::vector<double>& reference) {
    double deviation = 0, largest = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i])) return std::numeric_limits<double>::infinity();
        deviation = std::max(deviation, std::abs(values[i] - reference[i]));
        largest = std::max(largest, std::abs(reference[i]));
    }
    return deviation / std::max(largest, std::numeric_limits<double>::min());
}

void flush_cache(cudaStream_t stream) {
    static const DeviceMemory data = [] {
        // At least 64 MiB, for devices that understate their cache.
        DeviceMemory zeros(std::max<std::size_t>(2 * device_limits().l2_bytes, std::size_t{64} << 20) / 16 * 16);
        check(cudaMemset(zeros.as(), 0, zeros.bytes()), "flush buffer");
        return zeros;
    }();
    static const DeviceMemory never(sizeof(unsigned));
    start_kernel(read_all, {4 * device_limits().multiprocessors, 512, 0, stream}, data.as<uint4>(), data.bytes() / 16,
                 never.as<unsigned>());
    check_launch("flush");
}

}  // namespace plimsoll::cuda
