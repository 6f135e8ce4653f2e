#pragma once
#include <atomic>
#include <string>

#include "calibrate/timing.hpp"
#include "cli/bench/bench_run.hpp"

namespace plimsoll {

/// Times whole decoder steps and the kernels that they consist of, each by itself, in up to half of the budget, and
/// writes steps.csv after each; says in the end how far the sums lie from the steps.
void measure_steps(const BenchRun& run, const std::string& library, const TimingRule& rule,
                   const std::atomic<bool>& interrupted);

}  // namespace plimsoll
