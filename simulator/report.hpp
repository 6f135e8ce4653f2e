#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/base/units.hpp"
#include "model/spec/slo.hpp"
#include "simulator/statistics.hpp"
#include "simulator/unanswered.hpp"

namespace plimsoll {

/// What is measured of each request; ITL: of each token after the first. All in seconds.
/// TTFT: arrival to first token. TPOT: (last token - first token) / (output - 1), for requests of two tokens and more.
/// ITL: a token to the next one of the same request. E2E: arrival to last token. Queue: arrival to the start of the
/// first step that worked on the request.
enum class Measure { ttft, tpot, itl, e2e, queue };
inline constexpr std::array<std::string_view, 5> measure_names{"ttft_s", "tpot_s", "itl_s", "e2e_s", "queue_s"};

inline constexpr std::array<double, 4> reported_quantiles{0.50, 0.90, 0.95, 0.99};

/// A percentile with its 95 % confidence interval.
struct PercentileEstimate {
    double value = 0;
    Interval ci95;
    bool few = false;  ///< fewer than ten samples beyond it: read it as a lower bound of the tail
};

/// One measure over the counted requests.
struct MeasureSummary {
    std::uint64_t count = 0;
    Estimate mean;  ///< half width by batch means
    std::array<PercentileEstimate, reported_quantiles.size()> percentiles;
    double least = 0, most = 0;
    bool exact = false;       ///< percentiles of the values themselves, not of the histogram (0.1 %)
    bool correlated = false;  ///< neighbouring batches still depend on each other: the intervals are too narrow

    /// Mean and percentiles in the planner's form.
    [[nodiscard]] Percentiles percentiles_of() const;
};

/// What the requests of one class of a mixture saw.
struct ClassReport {
    std::uint64_t finished = 0;
    Unanswered unanswered;
    std::uint64_t good = 0;  ///< finished within every limit of the class's promises
    PerSecond goodput;       ///< good requests
    Latencies latencies;     ///< within 0.1 %
};

/// What a run measured, from the end of the warm-up on.
struct Report {
    std::array<MeasureSummary, measure_names.size()> measures;
    [[nodiscard]] const MeasureSummary& operator[](Measure m) const { return measures[static_cast<std::size_t>(m)]; }

    Seconds from{}, to{};
    std::uint64_t warm_up_requests = 0;  ///< finished before `from`
    bool unsettled = false;              ///< the warm-up is longer than half of the run, or the load is too much
    std::uint64_t finished = 0;
    Unanswered unanswered;
    std::uint64_t preemptions = 0, iterations = 0, strides = 0;
    std::uint64_t prompt_tokens = 0, output_tokens = 0;  ///< of finished requests
    std::uint64_t found_tokens = 0;                      ///< prompt tokens that a prefix cache had

    Estimate request_rate;       ///< finished per second
    Estimate output_token_rate;  ///< per second
    Estimate total_token_rate;   ///< prompt and output tokens per second
    Estimate goodput;            ///< requests per second that met every limit of their class
    Estimate error_rate;         ///< unanswered / all requests that ended
    Estimate hit_rate;           ///< prompt tokens found in a prefix cache, or stated as cached, over all prompt tokens

    double batch_mean = 0;  ///< sequences in a step, over steps
    std::array<double, reported_quantiles.size()> batch_percentiles{};
    double running_mean = 0;    ///< sequences in a step, over time and replicas
    double waiting_mean = 0;    ///< requests never worked on yet, by the sum of their queueing times over all replicas
    double in_system_mean = 0;  ///< requests, by the sum of their times in the system over all replicas
    std::uint32_t waiting_most = 0;
    double kv_blocks_mean = 0;  ///< over time and replicas
    std::uint64_t kv_blocks_most = 0;
    double busy_share = 0;  ///< of time and replicas

    std::vector<ClassReport> classes;  ///< of a mixture

    /// TTFT, TPOT and E2E in the planner's form.
    [[nodiscard]] Latencies latencies() const;
};

/// The estimate of a figure over replications, each one sample. `figure(report)` is a number.
template <class Figure>
[[nodiscard]] Estimate over_replications(std::span<const Report> reports, Figure figure) {
    std::vector<double> samples;
    samples.reserve(reports.size());
    for (const Report& report : reports) samples.push_back(figure(report));
    return mean_of(samples);
}

/// The difference first - second of a figure over runs that had the same seeds pair by pair.
template <class Figure>
[[nodiscard]] Estimate difference_of(std::span<const Report> first, std::span<const Report> second, Figure figure) {
    std::vector<double> a, b;
    for (const Report& report : first) a.push_back(figure(report));
    for (const Report& report : second) b.push_back(figure(report));
    return paired_difference(a, b);
}

}  // namespace plimsoll
