#pragma once
#include "calibrate/sample.hpp"
#include "model/base/registry.hpp"

namespace plimsoll {

/// The microbenchmarks of the processor, one file of calibrate/cpu each. A point without `ranks` runs on as many
/// threads as the measurement is given.
[[nodiscard]] const Registry<Microbenchmark>& cpu_benchmarks();

/// The library behind the products, with its version, and the instruction sets that it was compiled for.
[[nodiscard]] std::string cpu_library();
[[nodiscard]] std::string cpu_instruction_sets();

}  // namespace plimsoll
