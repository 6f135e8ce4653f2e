#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>

#include "calibrate/sample_table.hpp"
#include "model/base/sourced.hpp"

namespace plimsoll {

/// A rate as measured: the median over rounds, and how far rounds lie apart.
struct MeasuredRate {
    double value = 0, deviation = 0;
};

/// What the samples say of a processor as a whole, before anything is fitted.
struct ProcessorRates {
    std::map<std::string, MeasuredRate> peaks;  ///< flop/s by type: the fastest product
    MeasuredRate bandwidth;                     ///< bytes/s: the largest cold read
    MeasuredRate launch;                        ///< seconds to wake the threads and wait for them
    double clock_mhz = 0;
    /// Fractions of the peak and of the bandwidth that kernels reach, with their spread over the points.
    std::optional<MeasuredRate> gemm_compute, gemm_memory, prefill_compute, decode_memory, elementwise_memory;
    double crossover = 0;  ///< rows of an fp32 product from which arithmetic takes longer than reading the weights
};
/// Nothing where neither a product nor a cold read counted, or no wake-up.
[[nodiscard]] std::optional<ProcessorRates> processor_rates(std::span<const Measured> samples,
                                                            const SampleLabels& labels);

/// What the system says of a processor.
struct ProcessorFacts {
    std::string name;    ///< of the entries: "cpu-..."
    std::string vendor;  ///< these texts free of quotes, backslashes and control characters
    std::string model;
    std::string measured;  ///< by what and when: "plimsoll 0.1.0 with Eigen 3.4.0, 2026-01-31"
    int threads = 1;
    bool virtual_machine = false;
    Bytes memory{}, usable_memory{};
    Bytes last_cache{};
};

/// Data files, by path in a data directory, that let the planner take the processor for a GPU: its rates, an efficiency
/// class, a node with this one processor, and an engine that adds nothing to its kernels.
[[nodiscard]] std::map<std::string, std::string> processor_entries(const ProcessorFacts& facts,
                                                                   const ProcessorRates& rates);

/// The engine among them.
inline constexpr std::string_view bare_engine = "bare-kernels";

}  // namespace plimsoll
