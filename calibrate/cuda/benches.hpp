#pragma once
#include "calibrate/sample.hpp"
#include "model/base/registry.hpp"

namespace plimsoll::cuda {

/// The microbenchmarks of calibrate/cuda/benches, for the device that is current when they are asked.
[[nodiscard]] const Registry<Microbenchmark>& benches();

/// One line a check of the kernels against double precision, or of a rate that a kernel must reach.
struct CheckResult {
    std::string what;
    bool passed = false;
    std::string found;
};
/// Small shapes of every bench, odd ones among them, and whole steps of small layers, each reported as it is done;
/// `rates`: the two targets of the attention kernels as well.
void check_kernels(bool rates, const std::function<void(const CheckResult&)>& report);

/// Name, driver, clocks, power limit, ECC, versions of the libraries of the current device.
[[nodiscard]] DeviceFacts device_facts();
/// 0 also where there is no driver.
[[nodiscard]] int device_count();

}  // namespace plimsoll::cuda
