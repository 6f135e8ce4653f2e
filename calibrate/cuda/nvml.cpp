#include "calibrate/cuda/nvml.hpp"

#include <array>

#include <dlfcn.h>

namespace plimsoll::cuda {
namespace {

// The few values of NVIDIA's nvml.h (NVML API reference) that are needed here.
constexpr int success = 0;
constexpr unsigned sm_clock = 1, memory_clock = 2;
constexpr unsigned long long hardware_slowdown = 0x8, software_thermal = 0x20, hardware_thermal = 0x40,
                             power_brake = 0x80;

}  // namespace

template <class Function>
Function Nvml::symbol(const char* name) const {
    return library_ == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(library_, name));
}

Nvml::Nvml(const std::string& pci_bus_id) : library_(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    const auto start = symbol<int (*)()>("nvmlInit_v2");
    const auto find = symbol<int (*)(const char*, void**)>("nvmlDeviceGetHandleByPciBusId_v2");
    if (start == nullptr || find == nullptr || start() != success) return;
    if (find(pci_bus_id.c_str(), &device_) != success) {
        device_ = nullptr;
        return;
    }
    clock_info_ = symbol<int (*)(void*, unsigned, unsigned*)>("nvmlDeviceGetClockInfo");
    clock_reasons_ = symbol<int (*)(void*, unsigned long long*)>("nvmlDeviceGetCurrentClocksThrottleReasons");
    if (clock_reasons_ == nullptr)
        clock_reasons_ = symbol<int (*)(void*, unsigned long long*)>("nvmlDeviceGetCurrentClocksEventReasons");
}

Nvml::~Nvml() {
    if (const auto stop = symbol<int (*)()>("nvmlShutdown")) stop();
    if (library_ != nullptr) dlclose(library_);
}

double Nvml::clock_mhz() const {
    unsigned mhz = 0;
    return clock_info_ != nullptr && clock_info_(device_, sm_clock, &mhz) == success ? mhz : 0;
}

bool Nvml::throttled() const {
    unsigned long long reasons = 0;
    if (clock_reasons_ == nullptr || clock_reasons_(device_, &reasons) != success) return false;
    return (reasons & (hardware_slowdown | software_thermal | hardware_thermal | power_brake)) != 0;
}

std::string Nvml::driver_version() const {
    std::array<char, 96> text{};
    const auto ask = symbol<int (*)(char*, unsigned)>("nvmlSystemGetDriverVersion");
    if (device_ == nullptr || ask == nullptr || ask(text.data(), text.size() - 1) != success) return "";
    return text.data();
}

double Nvml::power_limit_watts() const {
    unsigned milliwatts = 0;
    const auto ask = symbol<int (*)(void*, unsigned*)>("nvmlDeviceGetEnforcedPowerLimit");
    return device_ != nullptr && ask != nullptr && ask(device_, &milliwatts) == success ? milliwatts * 1e-3 : 0;
}

std::string Nvml::ecc() const {
    int now = 0, next = 0;
    const auto ask = symbol<int (*)(void*, int*, int*)>("nvmlDeviceGetEccMode");
    if (device_ == nullptr || ask == nullptr || ask(device_, &now, &next) != success) return "";
    return now != 0 ? "on" : "off";
}

double Nvml::clock_of(const char* function, unsigned domain) const {
    unsigned mhz = 0;
    const auto ask = symbol<int (*)(void*, unsigned, unsigned*)>(function);
    return device_ != nullptr && ask != nullptr && ask(device_, domain, &mhz) == success ? mhz : 0;
}

double Nvml::highest_clock_mhz() const {
    return clock_of("nvmlDeviceGetMaxClockInfo", sm_clock);
}

double Nvml::highest_memory_clock_mhz() const {
    return clock_of("nvmlDeviceGetMaxClockInfo", memory_clock);
}

}  // namespace plimsoll::cuda
