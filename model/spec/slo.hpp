#pragma once
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/units.hpp"

namespace plimsoll {

/// TTFT: arrival to first token, waiting included. TPOT: (last token - first token) / (output - 1), a mean over the
/// request's own tokens. E2E: arrival to last token.
enum class Metric { ttft, tpot, e2e };
inline constexpr std::array<std::string_view, 3> metric_names{"ttft", "tpot", "e2e"};
[[nodiscard]] constexpr std::string_view to_string(Metric m) {
    return metric_names[static_cast<std::size_t>(m)];
}

enum class Statistic { mean, p50, p90, p95, p99 };
inline constexpr std::array<std::string_view, 5> statistic_names{"mean", "p50", "p90", "p95", "p99"};
[[nodiscard]] constexpr std::string_view to_string(Statistic s) {
    return statistic_names[static_cast<std::size_t>(s)];
}

/// One promise, e.g. "TTFT p95 below 3.15 s".
struct SloTerm {
    Metric metric;
    Statistic statistic;
    Seconds limit;
};

/// All promises hold together.
struct Slo {
    std::vector<SloTerm> terms;
};

/// "TTFT mean < 3.15 s, TPOT mean < 100 ms".
[[nodiscard]] std::string to_text(const Slo& slo);

/// Mean and percentiles of one latency over requests.
struct Percentiles {
    std::array<Seconds, statistic_names.size()> values{};
    [[nodiscard]] Seconds operator[](Statistic s) const { return values[static_cast<std::size_t>(s)]; }
    [[nodiscard]] Seconds& operator[](Statistic s) { return values[static_cast<std::size_t>(s)]; }
};

/// Percentiles of all metrics.
struct Latencies {
    std::array<Percentiles, metric_names.size()> metrics{};
    [[nodiscard]] const Percentiles& operator[](Metric m) const { return metrics[static_cast<std::size_t>(m)]; }
    [[nodiscard]] Percentiles& operator[](Metric m) { return metrics[static_cast<std::size_t>(m)]; }
    /// The largest ratio of a latency to its limit; the promises hold when it is at most 1.
    [[nodiscard]] double worst_ratio(const Slo& slo) const;
};

}  // namespace plimsoll
