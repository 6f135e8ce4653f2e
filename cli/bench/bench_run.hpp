#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/runner.hpp"

namespace plimsoll {

/// What plimsoll_bench was asked to measure.
struct BenchRun {
    std::vector<std::string> only;    ///< names of benches; empty: all
    std::vector<std::string> models;  ///< of the library, whose products are measured too
    std::string data_directory;       ///< with scenarios/library
    std::string gpu, topology;        ///< as hardware_db names them
    std::string folder;               ///< to write to
    bool quick = false, steps = false;
    Seconds budget{540};
    int rounds = 2;
    std::uint64_t seed = 1;
};

/// Measures, writes one table of raw samples a bench, with --steps the decoder steps beside the sums of their kernels
/// (steps.csv), and facts.json. Returns the exit code.
[[nodiscard]] int measure_device(const BenchRun& run);

}  // namespace plimsoll
