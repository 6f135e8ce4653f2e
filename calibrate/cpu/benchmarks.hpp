#pragma once
#include "calibrate/sample.hpp"
#include "model/base/registry.hpp"

namespace plimsoll {

/// The microbenchmarks of the processor, one file of calibrate/cpu each. A point without `ranks` runs on as many
/// threads as the measurement is given.
[[nodiscard]] const Registry<Microbenchmark>& cpu_benchmarks();

}  // namespace plimsoll
