#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <cuda_runtime_api.h>

#include "calibrate/cuda/dtype.hpp"

namespace plimsoll::cuda {

/// Throws std::runtime_error with CUDA's own words unless the call went well.
void check(cudaError_t status, const char* what);
/// Throws if the launch of the kernel just before was refused.
void check_launch(const char* kernel);

/// What of the current device the benches ask for.
struct DeviceLimits {
    int index = 0;
    int capability = 0;  ///< 10 times major + minor: 90
    int multiprocessors = 0;
    std::size_t l2_bytes = 0;
    std::size_t memory_bytes = 0;
    std::size_t shared_bytes_per_block = 0;  ///< after opting in
};
[[nodiscard]] const DeviceLimits& device_limits();
[[nodiscard]] int device_count();  ///< 0 also where there is no driver

/// Throws std::runtime_error unless the device's capability (90: 9.0) is at least `capability`.
void require_capability(int capability, const std::string& what);

/// Memory on the device that was current when it was made.
class DeviceMemory {
  public:
    DeviceMemory() = default;
    /// Throws std::runtime_error, naming the size, where it does not fit.
    explicit DeviceMemory(std::size_t bytes);
    DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
    DeviceMemory& operator=(DeviceMemory&& other) noexcept {
        swap(other);
        return *this;
    }
    ~DeviceMemory();

    template <class T = void>
    [[nodiscard]] T* as(std::size_t byte_offset = 0) const {
        return reinterpret_cast<T*>(static_cast<char*>(data_) + byte_offset);
    }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

  private:
    void swap(DeviceMemory& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
    }
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
};

/// Uniform values of [-amplitude, amplitude), for int8 of -127..127, the same for the same seed.
[[nodiscard]] DeviceMemory random_values(Dtype dtype, std::size_t count, std::uint64_t seed, float amplitude = 1.0F);
/// Every bit set: not a number in every floating type.
void poison(const DeviceMemory& memory);

template <class T>
[[nodiscard]] DeviceMemory to_device(const std::vector<T>& values) {
    DeviceMemory memory(values.size() * sizeof(T));
    check(cudaMemcpy(memory.as(), values.data(), memory.bytes(), cudaMemcpyHostToDevice), "copy to the device");
    // From pageable memory the copy may come back before it has arrived, and other streams do not wait for it.
    check(cudaDeviceSynchronize(), "copy to the device");
    return memory;
}
template <class T>
[[nodiscard]] std::vector<T> to_host(const void* data, std::size_t count) {
    std::vector<T> values(count);
    check(cudaMemcpy(values.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost), "copy from the device");
    return values;
}

/// fp16 or bf16 values of the device as numbers.
[[nodiscard]] std::vector<double> numbers(Dtype dtype, const void* data, std::size_t count);

/// How many copies of some data a cold run needs so that repeats within one reading do not meet their own traces in
/// the cache: up to 64 within 1 GiB (and an eighth of the memory).
[[nodiscard]] int copies_for(bool cold, std::size_t bytes);

/// Largest |value - reference| over the largest |reference|; not-a-number counts as infinite.
[[nodiscard]] double relative_deviation(const std::vector<double>& values, const std::vector<double>& reference);

/// Empties the L2 cache by reading twice its size, which leaves no dirty lines to be written back.
void flush_cache(cudaStream_t stream);

}  // namespace plimsoll::cuda
