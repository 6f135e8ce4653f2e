#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/error_summary.hpp"
#include "scenarios/validate.hpp"

namespace plimsoll {

/// What is compared, in the order of `ProtocolRow::values`.
inline constexpr std::array<std::string_view, 3> protocol_columns{"ttft", "tpot", "request_rate"};

/// One measured value beside what the benchmark's own run and the steady state of the same users give.
struct ProtocolValue {
    std::optional<double> measured, drain, steady;
    /// predicted / measured - 1, where both are there.
    [[nodiscard]] std::optional<double> drain_error() const { return error(drain); }
    [[nodiscard]] std::optional<double> steady_error() const { return error(steady); }

  private:
    [[nodiscard]] std::optional<double> error(const std::optional<double>& predicted) const {
        if (!measured || !predicted) return std::nullopt;
        return *predicted / *measured - 1.0;
    }
};

/// A row of the table whose lengths were printed, not inferred.
struct ProtocolRow {
    std::string place;  ///< file:line
    std::string model, gpu;
    int tensor_parallel = 0;
    std::string load;
    int users = 0, requests = 0;    ///< that drain the queue; in it
    bool rate_from_tokens = false;  ///< measured requests: the printed output tokens per second by the printed length
    std::array<ProtocolValue, protocol_columns.size()> values;
};

/// Absolute errors of both protocols over the rows that have both.
struct ProtocolSummary {
    ErrorSummary drain, steady;
    int drain_nearer = 0;  ///< rows
};

struct ProtocolComparison {
    std::vector<ProtocolRow> rows;
    std::array<ProtocolSummary, protocol_columns.size()> summary;
    std::vector<std::string> explained;  ///< what each protocol explains, in sentences
};

/// Runs each row with printed lengths (all rows where the table has no column `lengths_inferred`) as users that drain
/// a shared queue and in steady state. Where a row has no request rate it follows from `token_rate_printed`.
[[nodiscard]] ProtocolComparison compare_protocols(const Csv& table, const ValidationAssumptions& assumptions,
                                                   Catalog& catalog);

}  // namespace plimsoll
