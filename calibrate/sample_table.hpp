#pragma once
#include <map>
#include <span>
#include <string>

#include "calibrate/runner.hpp"

namespace plimsoll {

/// Estimated, of a machine of one's own: what warmth and the placing of memory change from one run to the next.
inline constexpr double own_machine_deviation = 0.05;
/// Of a virtual machine, whose neighbours share its cores without its seeing them: one gave 67 and 34 GFLOP/s a quarter
/// of an hour apart, with rounds that lay 10 % apart in either run; ln 2 / 2.
inline constexpr double virtual_machine_deviation = 0.35;

/// What all samples of a measurement have in common.
struct SampleLabels {
    std::string source;    ///< who measured
    std::string gpu;       ///< a name of hardware_db/gpus
    std::string library;   ///< with its version
    std::string topology;  ///< collectives: how the ranks are joined
    int threads = 0;       ///< of a processor as a whole; 0: another device
    /// Relative standard deviation between two runs of which the rounds of one run show nothing.
    double run_to_run = own_machine_deviation;
};

/// "gemm", "attention_decode" ...
[[nodiscard]] std::string_view to_string(KernelClass kernel);

/// The samples as CSV tables by file name, one a benchmark ("gemm.csv") with a row a point and round: the columns that
/// `calibrate fit --from` reads, then those that say how each came about (docs/calibrate.md), the raw readings last. A
/// row on fewer threads than the processor has names another device: "cpu-x:1".
[[nodiscard]] std::map<std::string, std::string> sample_tables(std::span<const Measured> samples,
                                                               const SampleLabels& labels);

}  // namespace plimsoll
