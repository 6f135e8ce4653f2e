#pragma once
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/sample.hpp"
#include "model/base/registry.hpp"

namespace plimsoll::cuda {

/// The microbenchmarks of calibrate/cuda/benches, for the device that is current when they are asked.
[[nodiscard]] const Registry<Microbenchmark>& benches();

/// A kernel broke the device's context: nothing more can run in this process. No std::runtime_error, so that it is not
/// taken for one point that cannot be measured.
class DeviceLost : public std::exception {
  public:
    explicit DeviceLost(std::string what) : what_(std::move(what)) {}
    [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }

  private:
    std::string what_;
};

/// One line a check of the kernels against double precision, or of a rate that a kernel must reach.
struct CheckResult {
    std::string what;
    bool passed = false;
    std::string found;
};
/// Small shapes of every bench, odd ones among them, and whole steps of small layers, each reported as it is done;
/// `only`: of these benches alone, if any; `rates`: the two targets of the attention kernels as well.
void check_kernels(const std::vector<std::string>& only, bool rates,
                   const std::function<void(const CheckResult&)>& report);

/// Name, driver, clocks, power limit, ECC, versions of the libraries of the current device.
[[nodiscard]] DeviceFacts device_facts();
/// Leaves out the kernels of Hopper's warpgroup products, should they do harm.
void forbid_prefill_by_groups();
/// 0 also where there is no driver.
[[nodiscard]] int device_count();

}  // namespace plimsoll::cuda
