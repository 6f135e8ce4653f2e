#include "cli/serving_fit.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "simulator/replications.hpp"

namespace plimsoll {
namespace {

/// More than this a few dozen rows cannot carry.
constexpr std::size_t most_constants = 12;
/// Rows that a machine needs for constants of its own.
constexpr std::size_t least_rows_of_a_machine = 3;
/// Seeds that a trial of the fit is averaged over; all trials meet the same ones.
constexpr std::uint32_t fitted_runs = 8;
/// By which both limits are moved for the band of users: a limit near the floor of a step decides over many users.
constexpr double limit_band = 0.1;

std::vector<ServingConstant> priors_of(const std::vector<EngineConstantEntry>& constants) {
    std::vector<ServingConstant> priors;
    for (const EngineConstantEntry& entry : constants)
        priors.push_back({.name = entry.name(),
                          .value = entry.value,
                          .deviation = entry.deviation,
                          .share = entry.constant == EngineConstant::kernel_efficiency});
    return priors;
}

std::vector<ServingRow> rows_of(const ServingTable& table, const std::vector<EngineConstantEntry>& constants) {
    std::vector<ServingRow> rows;
    for (const ServingTableRow& from : table.rows) {
        ServingRow row{.measured = {from.ttft, from.tpot}, .group = 0, .constants = {}};
        row.group =
            static_cast<std::size_t>(std::ranges::find(table.campaigns, from.campaign) - table.campaigns.begin());
        for (std::size_t j = 0; j < constants.size(); ++j)
            if (constants[j].moves(from.measured)) row.constants.push_back(j);
        rows.push_back(std::move(row));
    }
    return rows;
}

/// Predicts rows of the table with other constants.
class Rows {
  public:
    Rows(const ServingCalibration& calibration, const ValidationAssumptions& assumptions, std::uint32_t threads)
        : calibration_(calibration), assumptions_(assumptions), threads_(threads) {}

    [[nodiscard]] std::vector<ServingMeans> means(const std::vector<ServingTrial>& trials) const {
        return replicate(static_cast<std::uint32_t>(trials.size()), threads_, [&](std::uint32_t i) {
            const ServingTableRow& row = calibration_.table.rows[trials[i].row];
            const ChangedRow changed(row.measured, calibration_.constants, trials[i].values);
            const RowPredictor predictor(changed.deployment(), row.measured, assumptions_);
            const InstanceMeans means = predictor.at(row.users, fitted_runs);
            return ServingMeans{means.ttft.value(), means.tpot.value()};
        });
    }

    /// Each row by the constants that `values` gives for it; the band of users only where asked for.
    template <class Values>
    [[nodiscard]] std::vector<ServingPrediction> predictions(bool band, Values values) const {
        return replicate(static_cast<std::uint32_t>(calibration_.table.rows.size()), threads_, [&](std::uint32_t i) {
            const ServingTableRow& row = calibration_.table.rows[i];
            const ChangedRow changed(row.measured, calibration_.constants, values(i));
            const RowPredictor predictor(changed.deployment(), row.measured, assumptions_);
            const InstanceMeans means = predictor.at(row.users);
            ServingPrediction result;
            result.ttft = means.ttft.value();
            result.tpot = means.tpot.value();
            const auto most = [&](double share) { return predictor.most_users(row.ttft * share, row.tpot * share); };
            result.users = most(1.0);
            if (band)
                result.users_band =
                    Interval{static_cast<double>(most(1.0 - limit_band)), static_cast<double>(most(1.0 + limit_band))};
            return result;
        });
    }

  private:
    const ServingCalibration& calibration_;
    const ValidationAssumptions& assumptions_;
    std::uint32_t threads_;
};

std::array<double, fitted_columns.size()> measured_of(const ServingTableRow& row) {
    return {row.ttft, row.tpot, static_cast<double>(row.users)};
}

/// The geometric mean of a column over the rows that are not left out, of the row's GPU where there are some.
template <class LeftOut>
double constant_for(const ServingTable& table, std::size_t row, std::size_t column, LeftOut left_out) {
    for (const bool same_gpu : {true, false}) {
        double sum = 0, n = 0;
        for (std::size_t i = 0; i < table.rows.size(); ++i) {
            const ServingTableRow& other = table.rows[i];
            if (left_out(i) || (same_gpu && other.measured.deployment.gpu != table.rows[row].measured.deployment.gpu))
                continue;
            sum += std::log(measured_of(other)[column]);
            n += 1;
        }
        if (n > 0) return std::exp(sum / n);
    }
    return measured_of(table.rows[row])[column];
}

/// `left_out(row, other)`: whether the other row was left out when the row was predicted.
template <class LeftOut>
ServingErrorTable errors_of(const ServingTable& table, const std::vector<ServingPrediction>& predictions,
                            LeftOut left_out) {
    ServingErrorTable result;
    for (std::size_t c = 0; c < fitted_columns.size(); ++c) {
        std::vector<double> model, constant;
        for (std::size_t i = 0; i < table.rows.size(); ++i) {
            const ServingPrediction& p = predictions[i];
            const std::array<double, fitted_columns.size()> predicted{p.ttft, p.tpot, static_cast<double>(p.users)};
            const double measured = measured_of(table.rows[i])[c];
            model.push_back(predicted[c] / measured - 1.0);
            const double guess = constant_for(table, i, c, [&](std::size_t other) { return left_out(i, other); });
            constant.push_back(guess / measured - 1.0);
        }
        result[c] = {summary_of(model), summary_of(constant)};
    }
    return result;
}

void judge(ServingCalibration& result, const Rows& rows, const std::vector<ServingRow>& fitted) {
    std::vector<double> defaults;
    for (const EngineConstantEntry& entry : result.constants) defaults.push_back(entry.value);
    result.by_default = rows.predictions(false, [&](std::size_t) { return defaults; });
    result.in_sample = rows.predictions(false, [&](std::size_t) { return result.fits.all.values; });
    result.without_row = rows.predictions(true, [&](std::size_t i) { return result.fits.without_row[i].values; });
    result.without_campaign =
        rows.predictions(false, [&](std::size_t i) { return result.fits.without_group[fitted[i].group].values; });
    const auto itself = [](std::size_t row, std::size_t other) { return row == other; };
    const auto campaign = [&](std::size_t row, std::size_t other) { return fitted[row].group == fitted[other].group; };
    result.default_errors = errors_of(result.table, result.by_default, itself);
    result.in_sample_errors = errors_of(result.table, result.in_sample, itself);
    result.leave_one_out = errors_of(result.table, result.without_row, itself);
    result.leave_one_campaign_out = errors_of(result.table, result.without_campaign, campaign);
}

}  // namespace

ServingCalibration calibrate_serving(const Csv& table, const ValidationAssumptions& assumptions, Catalog& catalog,
                                     double widen, std::uint32_t threads) {
    ServingCalibration result;
    result.table = read_serving_table(table, assumptions, catalog);
    std::vector<const MeasuredRow*> measured;
    for (const ServingTableRow& row : result.table.rows) measured.push_back(&row.measured);
    result.constants = engine_constants(measured, least_rows_of_a_machine);
    for (EngineConstantEntry& entry : result.constants) entry.deviation *= widen;
    if (result.constants.empty())
        throw InputError("--engine", "no constant of the engine or of the machines has a deviation: nothing to fit");
    if (result.constants.size() > most_constants)
        throw InputError("--serving", "the rows are of machines with " + std::to_string(result.constants.size()) +
                                          " unsure constants; more than " + std::to_string(most_constants) +
                                          " cannot be told apart: fit fewer GPU types at a time");
    const std::vector<ServingRow> rows = rows_of(result.table, result.constants);
    const Rows predicted(result, assumptions, threads);
    result.fits = fit_serving(priors_of(result.constants), rows,
                              [&](const std::vector<ServingTrial>& trials) { return predicted.means(trials); });
    judge(result, predicted, rows);
    return result;
}

}  // namespace plimsoll
