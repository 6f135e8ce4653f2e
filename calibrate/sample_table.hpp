#pragma once
#include <map>
#include <span>
#include <string>

#include "calibrate/runner.hpp"

namespace plimsoll {

/// What all samples of a measurement have in common.
struct SampleLabels {
    std::string source;    ///< who measured
    std::string gpu;       ///< a name of hardware_db/gpus
    std::string library;   ///< with its version
    std::string topology;  ///< collectives: how the ranks are joined
    int threads = 0;       ///< of a processor as a whole; 0: another device
};

/// "gemm", "attention_decode" ...
[[nodiscard]] std::string_view to_string(KernelClass kernel);

/// The samples as CSV tables by file name, one a benchmark ("gemm.csv") with a row a point and round: the columns that
/// `calibrate fit --from` reads, then those that say how each came about (docs/calibrate.md), the raw readings last. A
/// row on fewer threads than the processor has names another device: "cpu-x:1".
[[nodiscard]] std::map<std::string, std::string> sample_tables(std::span<const Measured> samples,
                                                               const SampleLabels& labels);

}  // namespace plimsoll
