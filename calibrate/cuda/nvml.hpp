#pragma once
#include <string>

namespace plimsoll::cuda {

/// What the management library says of one device; built on what libnvidia-ml.so.1 offers when it is loaded at run
/// time. Without the library every answer is empty or 0.
class Nvml {
  public:
    /// `pci_bus_id` as CUDA prints it: "0000:1b:00.0".
    explicit Nvml(const std::string& pci_bus_id);
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;
    ~Nvml();

    [[nodiscard]] double clock_mhz() const;
    /// Heat, a hardware slowdown or a power brake holds the clock back. The power cap is not meant: it is a property of
    /// the card that a large GEMM meets in service too, and the sample's clock shows it.
    [[nodiscard]] bool throttled() const;
    [[nodiscard]] std::string driver_version() const;
    [[nodiscard]] double power_limit_watts() const;
    [[nodiscard]] std::string ecc() const;  ///< "on", "off" or ""
    [[nodiscard]] double highest_clock_mhz() const;
    [[nodiscard]] double highest_memory_clock_mhz() const;

  private:
    [[nodiscard]] double clock_of(const char* function, unsigned domain) const;
    template <class Function>
    [[nodiscard]] Function symbol(const char* name) const;

    void* library_ = nullptr;
    void* device_ = nullptr;
    int (*clock_info_)(void*, unsigned, unsigned*) = nullptr;
    int (*clock_reasons_)(void*, unsigned long long*) = nullptr;
};

}  // namespace plimsoll::cuda
