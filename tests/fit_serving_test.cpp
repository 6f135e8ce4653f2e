#include "calibrate/fit_serving.hpp"

#include <cmath>

#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

/// A server that answers in closed form. Constants: launch of a layer (s), speed of the second machine, efficiency.
/// Rows 0 to 5 on one machine, 6 to 9 on the other; layers and prompt tokens differ from row to row.
constexpr std::array<double, 10> layers{20, 40, 60, 80, 30, 50, 40, 60, 80, 20};
constexpr std::array<double, 10> tokens{100, 400, 200, 800, 600, 300, 500, 100, 300, 700};

ServingMeans serve(const ServingTrial& trial) {
    const double speed = trial.row < 6 ? 1.0 : trial.values[1];
    const double step = layers[trial.row] * trial.values[0] / speed + 5e-3;
    return {step + tokens[trial.row] * layers[trial.row] * 2e-5 / trial.values[2], step};
}

std::vector<ServingMeans> serve_all(const std::vector<ServingTrial>& trials) {
    std::vector<ServingMeans> means;
    for (const ServingTrial& trial : trials) means.push_back(serve(trial));
    return means;
}

const std::vector<double> truth{0.7e-3, 0.6, 0.5};

std::vector<ServingConstant> priors() {
    return {{.name = "layer", .value = 0.5e-3, .deviation = 0.3e-3},
            {.name = "speed", .value = 1.0, .deviation = 0.5},
            {.name = "efficiency", .value = 0.7, .deviation = 0.15, .share = true}};
}

std::vector<ServingRow> measured() {
    std::vector<ServingRow> rows;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const ServingMeans means = serve({i, truth});
        ServingRow row{.measured = {means[0], means[1]}, .group = i / 4, .constants = {0, 2}};
        if (i >= 6) row.constants = {0, 1, 2};
        rows.push_back(row);
    }
    return rows;
}

/// So exact that the priors hardly count.
const ServingFitSettings exact{.scatter = {1e-3, 1e-3}};

}  // namespace

TEST_CASE("Constants that made a table of serving runs are recovered from it") {
    const ServingFits fits = fit_serving(priors(), measured(), serve_all, exact);
    for (std::size_t j = 0; j < truth.size(); ++j) CHECK(fits.all.values[j] == Approx(truth[j]).epsilon(2e-3));
    // Any row can be missed: the other nine say the same.
    for (const ServingFit& fit : fits.without_row)
        for (std::size_t j = 0; j < truth.size(); ++j) CHECK(fit.values[j] == Approx(truth[j]).epsilon(5e-3));
    CHECK(fits.without_group.size() == 3);
}

TEST_CASE("A constant that no row depends on keeps its default and its deviation") {
    std::vector<ServingConstant> constants = priors();
    constants.push_back({.name = "idle", .value = 4.0, .deviation = 1.0});
    const ServingFits fits = fit_serving(constants, measured(), serve_all, exact);
    CHECK(fits.all.values[3] == Approx(4.0));
    CHECK(fits.all.standard_errors[3] == Approx(1.0));
    for (std::size_t j = 0; j < 3; ++j) CHECK(fits.all.standard_errors[j] < 0.05 * constants[j].deviation);
}

TEST_CASE("One measurement against one prior: the weights of the two decide") {
    // ln t = ln c: the prior says ln c = 0 +- 0.5, the row ln c = 0.02 +- 0.1. Near the optimum the loss is a square:
    // (0.02 / 0.01) / (1 / 0.01 + 1 / 0.25) = 0.019231.
    const std::vector<ServingConstant> constants{{.name = "c", .value = 1.0, .deviation = 0.5}};
    const std::vector<ServingRow> rows{{.measured = {std::nullopt, std::exp(0.02)}, .group = 0, .constants = {0}}};
    const auto itself = [](const std::vector<ServingTrial>& trials) {
        std::vector<ServingMeans> means;
        for (const ServingTrial& trial : trials) means.push_back({1.0, trial.values[0]});
        return means;
    };
    const ServingFits fits = fit_serving(constants, rows, itself, {.scatter = {0.1, 0.1}});
    CHECK(std::log(fits.all.values[0]) == Approx(0.019231).epsilon(0.02));
    // Standard error of ln c: 1 / sqrt(100 + 4) = 0.09806, where the weight of a residual of 0.2 scatters is near 1.
    CHECK(fits.all.standard_errors[0] / fits.all.values[0] == Approx(0.09806).epsilon(0.02));
    // Without the row only the prior is left.
    CHECK(fits.without_row[0].values[0] == Approx(1.0).epsilon(1e-3));
}

TEST_CASE("A row that is left out does not move what is said of it") {
    const ServingFitSettings settings{.scatter = {0.05, 0.05}};
    const ServingFits honest = fit_serving(priors(), measured(), serve_all, settings);
    for (const std::size_t row : {std::size_t{3}, std::size_t{7}}) {
        std::vector<ServingRow> rows = measured();
        for (auto& value : rows[row].measured) *value *= 3.0;
        const ServingFits corrupted = fit_serving(priors(), rows, serve_all, settings);
        const ServingMeans before = serve({row, honest.without_row[row].values}),
                           after = serve({row, corrupted.without_row[row].values}),
                           shown = serve({row, corrupted.all.values});
        for (std::size_t c = 0; c < before.size(); ++c) {
            CHECK(after[c] == Approx(before[c]).epsilon(1e-3));
            CHECK(shown[c] > 1.004 * before[c]);
        }
        // Nor does it when its whole campaign is left out.
        const std::size_t group = rows[row].group;
        CHECK(serve({row, corrupted.without_group[group].values})[1] ==
              Approx(serve({row, honest.without_group[group].values})[1]).epsilon(5e-3));
    }
}

TEST_CASE("A strange row counts for little among many") {
    std::vector<ServingRow> rows = measured();
    *rows[5].measured[1] *= 10.0;
    const ServingFits fits = fit_serving(priors(), rows, serve_all, {.scatter = {0.05, 0.05}});
    const ServingMeans other = serve({4, fits.all.values}), right = serve({4, truth});
    CHECK(other[1] == Approx(right[1]).epsilon(0.1));
}

TEST_CASE("A share stays a share, whatever the rows ask for") {
    std::vector<ServingRow> rows = measured();
    // Prefills of no time at all ask for an efficiency beyond all bounds.
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].measured[0] = *rows[i].measured[1] * 1.0001;
    const ServingFits fits = fit_serving(priors(), rows, serve_all, exact);
    CHECK(fits.all.values[2] > 0.9);
    CHECK(fits.all.values[2] < 1.0);
}
