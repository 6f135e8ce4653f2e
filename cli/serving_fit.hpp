#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/fit_serving.hpp"
#include "model/base/interval.hpp"
#include "scenarios/error_summary.hpp"
#include "scenarios/serving_table.hpp"

namespace plimsoll {

/// The judged columns.
inline constexpr std::array<std::string_view, 3> fitted_columns{"ttft", "tpot", "users"};

/// What some constants say of one row.
struct ServingPrediction {
    double ttft = 0, tpot = 0;  ///< s, at the row's users
    int users = 0;              ///< most at which the row's own TTFT and TPOT hold
    Interval users_band;        ///< the same at nine and eleven tenths of both; of `without_row` alone
};

/// Errors of one column beside those of a constant: the geometric mean of the rows of the same GPU that were not left
/// out (of all of them, where there is none).
struct ServingErrors {
    ErrorSummary model, constant;
};
using ServingErrorTable = std::array<ServingErrors, fitted_columns.size()>;

/// An engine's constants as fitted to a table of serving runs, and what the rows say that were not shown to the fit.
struct ServingCalibration {
    ServingTable table;
    std::vector<EngineConstantEntry> constants;
    ServingFits fits;
    std::vector<ServingPrediction> by_default, in_sample, without_row, without_campaign;  ///< by row
    ServingErrorTable default_errors, in_sample_errors, leave_one_out, leave_one_campaign_out;
};

/// Fits at most twelve constants, whose deviations in the data count `widen` times, and predicts each row by the
/// defaults, the fit, the fit without the row and the fit without its campaign. The same whatever the number of
/// threads.
[[nodiscard]] ServingCalibration calibrate_serving(const Csv& table, const ValidationAssumptions& assumptions,
                                                   Catalog& catalog, double widen, std::uint32_t threads);

}  // namespace plimsoll
