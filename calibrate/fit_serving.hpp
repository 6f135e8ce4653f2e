#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

/// A constant that a fit may move within what is known of it: the prior is normal in its logarithm, for a share of one
/// in its log-odds, so that no fit leaves what is physically possible.
struct ServingConstant {
    std::string name;
    double value = 0;      ///< the default: middle of the prior
    double deviation = 0;  ///< standard deviation of the prior, same unit
    bool share = false;    ///< between 0 and 1
};

/// The measured columns that constants are fitted to.
inline constexpr std::array<std::string_view, 2> serving_columns{"ttft", "tpot"};
using ServingMeans = std::array<double, serving_columns.size()>;  ///< s

/// One measured row.
struct ServingRow {
    std::array<std::optional<double>, serving_columns.size()> measured;  ///< s
    std::size_t group = 0;                                               ///< campaign that it belongs to
    std::vector<std::size_t> constants;                                  ///< which of them move its prediction
};

/// A row to predict and the values of all constants to do it with.
struct ServingTrial {
    std::size_t row = 0;
    std::vector<double> values;
};

/// Predicts many trials, as it likes side by side; each result depends on its trial alone.
template <class P>
concept ServingPredictor = requires(const P& predict, const std::vector<ServingTrial>& trials) {
    { predict(trials) } -> std::same_as<std::vector<ServingMeans>>;
};

struct ServingFitSettings {
    /// Scatter of ln(measured / predicted) by column that even true constants would leave: errors of the model's form
    /// and of the measurement.
    ServingMeans scatter{0.2, 0.07};
    int iterations = 12;     ///< of the fit from the defaults, at most
    int held_out_steps = 6;  ///< of a fit without some rows, from the fit with all
};

struct ServingFit {
    std::vector<double> values;
    /// From the curvature at the optimum, prior included: no larger than `deviation` where the form is linear.
    std::vector<double> standard_errors;
    double loss = 0;
};

/// The fit to all rows and those that were never shown one row, or one group.
struct ServingFits {
    ServingFit all;
    std::vector<ServingFit> without_row;    ///< by row
    std::vector<ServingFit> without_group;  ///< by group
};

/// Most probable constants: minimises the sum over rows and columns of 2 (sqrt(1 + z^2) - 1), z = ln(predicted /
/// measured) / scatter (a square near 0, its absolute value far out, so that a strange row counts for little), plus the
/// squared distance to each default in prior deviations; Levenberg-Marquardt with central differences.
[[nodiscard]] ServingFits fit_serving(
    const std::vector<ServingConstant>& constants, const std::vector<ServingRow>& rows,
    const std::function<std::vector<ServingMeans>(const std::vector<ServingTrial>&)>& predict,
    const ServingFitSettings& settings = {});

}  // namespace plimsoll
