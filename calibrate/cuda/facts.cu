#include <chrono>
#include <memory>
#include <stdexcept>

#include <cublasLt.h>

#include "calibrate/cuda/attention.hpp"
#include "calibrate/cuda/device.hpp"
#include "calibrate/cuda/nccl.hpp"
#include "calibrate/cuda/nvml.hpp"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll::cuda {
namespace {

const Nvml& nvml() {
    static const std::unique_ptr<Nvml> library = [] {
        char bus[32] = {};
        check(cudaDeviceGetPCIBusId(bus, sizeof bus, device_limits().index), "bus id");
        return std::make_unique<Nvml>(bus);
    }();
    return *library;
}

std::string version(int number) {
    return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

std::string cublas_version() {
    const std::size_t number = cublasLtGetVersion();
    return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
           std::to_string(number % 100);
}

std::string known(double value) {
    return value > 0 ? std::to_string(static_cast<long>(value)) : "unknown";
}

}  // namespace

void read_clock(Reading& reading) {
    // Asking takes as long as a short reading; the clock and what holds it back change no faster than this.
    constexpr std::chrono::milliseconds lasts{10};
    static std::chrono::steady_clock::time_point asked{};
    static Reading answer;
    const auto now = std::chrono::steady_clock::now();
    if (now - asked > lasts) {
        answer.clock_mhz = nvml().clock_mhz();
        answer.throttled = nvml().throttled();
        asked = now;
    }
    reading.clock_mhz = answer.clock_mhz;
    reading.throttled = answer.throttled;
}

DeviceFacts device_facts() {
    const DeviceLimits& limits = device_limits();
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, limits.index), "device properties");
    int driver = 0, runtime = 0;
    check(cudaDriverGetVersion(&driver), "driver version");
    check(cudaRuntimeGetVersion(&runtime), "runtime version");
    const std::string module = nvml().driver_version(), ecc = nvml().ecc();
    return {
        {"device", properties.name},
        {"capability", std::to_string(properties.major) + "." + std::to_string(properties.minor)},
        {"devices", std::to_string(device_count())},
        {"multiprocessors", std::to_string(limits.multiprocessors)},
        {"l2_bytes", std::to_string(limits.l2_bytes)},
        {"memory_bytes", std::to_string(limits.memory_bytes)},
        {"driver", module.empty() ? "unknown" : module},
        {"cuda_driver", version(driver)},
        {"cuda_runtime", version(runtime)},
        {"cublaslt", cublas_version()},
        {"nccl", Nccl::loaded() == nullptr ? "absent" : Nccl::loaded()->version()},
        {"plimsoll_bench", PLIMSOLL_BENCH_VERSION},
        {"prefill_attention", prefill_path(limits.capability >= 80 ? Dtype::bf16 : Dtype::fp16, 128)},
        {"sm_clock_max_mhz", known(nvml().highest_clock_mhz())},
        {"memory_clock_max_mhz", known(nvml().highest_memory_clock_mhz())},
        {"power_limit_w", known(nvml().power_limit_watts())},
        {"ecc", ecc.empty() ? "unknown" : ecc},
    };
}

}  // namespace plimsoll::cuda
