// Fits of kernel forms: constants come back from made-up measurements, whatever noise and outliers do.
#include "calibrate/fit.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "calibrate/fit_residuals.hpp"
#include "tests/catch.hpp"
#include "tests/kernel_rows.hpp"

using namespace plimsoll;
using testing::made_up_gemms;
using testing::round_peaks;

namespace {

const std::vector<double> truth{0.7, 0.6, 8e-6, 2.5, 0.5};

GroupFit fit_plainly(const std::vector<KernelRow>& rows) {
    FitOptions options;
    options.learner = false;
    options.forms = {"gemm"};
    return fit_group(rows, round_peaks(), options);
}

}  // namespace

TEST_CASE("a fit finds the constants that made the measurements, as near as it says") {
    // Twenty draws of noise: deviations in standard errors are standard normal, so that of 80 a share of 95 % lies
    // within 2, and hardly one beyond 4.
    int within_two = 0, judged = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const GroupFit fit = fit_plainly(made_up_gemms("gemm", truth, 0.05, seed));
        REQUIRE(fit.models.size() == 1);
        for (std::size_t c = 0; c < 4; ++c) {
            const FittedConstant& constant = fit.models.front().constants[c];
            const double deviation = (constant.value - truth[c]) / constant.standard_error;
            CHECK(std::abs(deviation) < 4.5);
            within_two += std::abs(deviation) < 2.0;
            ++judged;
        }
        CHECK(fit.models.front().constants[0].standard_error < 0.02);
        CHECK(fit.models.front().constants[2].standard_error < 1e-6);
    }
    // 95 % of 80 is 76, with a deviation of 2; constants of one fit go together, so twice that and more.
    CHECK(within_two >= 68);
    CHECK(judged == 80);
}

TEST_CASE("measurements without noise give the constants themselves") {
    const GroupFit fit = fit_plainly(made_up_gemms("gemm", truth, 0.0, 1));
    for (std::size_t c = 0; c < 4; ++c) CHECK(fit.models.front().constants[c].value == Approx(truth[c]).epsilon(0.01));
    CHECK(fit.models.front().residuals.mean_ape < 0.005);
    CHECK(fit.outliers.empty());
}

TEST_CASE("rows that are wrong by a factor neither move a fit nor pass unnoticed") {
    std::vector<KernelRow> rows = made_up_gemms("gemm", truth, 0.03, 5);
    std::set<std::string> wrong;
    for (std::size_t i = 3; i < rows.size(); i += 17) {
        rows[i].seconds *= i % 2 == 0 ? 20.0 : 0.2;
        wrong.insert(rows[i].place);
    }
    const GroupFit fit = fit_plainly(rows);
    for (std::size_t c = 0; c < 3; ++c) CHECK(fit.models.front().constants[c].value == Approx(truth[c]).epsilon(0.08));
    std::set<std::string> listed;
    for (const Outlier& outlier : fit.outliers) listed.insert(outlier.place);
    CHECK(listed == wrong);
}

TEST_CASE("constants that no row tells anything of stay where they were believed, with that error") {
    const GroupFit fit = fit_plainly(made_up_gemms("gemm", truth, 0.03, 2));
    // No row expands its weights: the prior of the form, 0.5 within a factor of e.
    const FittedConstant& dequantization = fit.models.front().constants[4];
    CHECK(dequantization.value == Approx(0.5).epsilon(1e-3));
    CHECK(dequantization.standard_error == Approx(0.5).epsilon(0.01));
}

TEST_CASE("a path whose kernel is another gets constants of its own, others do not") {
    std::vector<KernelRow> rows = made_up_gemms("gemm", truth, 0.02, 3);
    CHECK(fit_plainly(rows).models.size() == 1);
    const std::size_t aligned = rows.size();
    const std::vector<double> slow{0.2, 0.15, 2e-5, 2.5, 0.5};
    for (std::size_t i = 0; i < aligned; i += 2) {
        KernelRow row = rows[i];
        row.op = gemm_operator("gemm", "gemm", row.op.m + 3, row.op.n, row.op.k, Dtype::bf16);
        row.seconds = kernel_forms().find("gemm")->time(row.op, round_peaks(), slow).total().value();
        rows.push_back(row);
    }
    const GroupFit fit = fit_plainly(rows);
    REQUIRE(fit.models.size() == 2);
    CHECK(fit.models[0].path.empty());
    CHECK(fit.models[1].path == "unaligned");
    CHECK(fit.models[1].constants[1].value == Approx(0.15).epsilon(0.1));
    CHECK(&fit.model_of(rows.back().op) == &fit.models[1]);
    CHECK(&fit.model_of(rows.front().op) == &fit.models[0]);
}

TEST_CASE("the learner takes out what the form leaves, within its bound and its range alone") {
    std::vector<KernelRow> rows = made_up_gemms("gemm", truth, 0.01, 4);
    // A hump that no constant makes: products of 64 to 512 rows take up to twice as long.
    for (KernelRow& row : rows) row.seconds *= 1.0 + 1.0 * std::exp(-std::pow(std::log2(row.op.m) - 7.5, 2));
    FitOptions options;
    options.forms = {"gemm"};
    const GroupFit fit = fit_group(rows, round_peaks(), options);
    const KernelModel& model = fit.models.front();
    REQUIRE_FALSE(model.learner.weights.empty());
    CHECK(model.residuals.mean_ape < 0.85 * fit_plainly(rows).models.front().residuals.mean_ape);

    KernelModel bare = model;
    bare.learner = {};
    double farthest = 0;
    for (const KernelRow& row : rows) {
        const double factor = predict(model, row.op, round_peaks()) / predict(bare, row.op, round_peaks());
        CHECK(std::abs(std::log(factor)) <= options.learner_bound * (1 + 1e-12));
        farthest = std::max(farthest, std::abs(std::log(factor)));
    }
    CHECK(farthest > 0.05);
    for (const double m : {4.0, 16384.0}) {
        const Operator op = gemm_operator("gemm", "gemm", m, 5000, 5000, Dtype::bf16);
        CHECK(predict(model, op, round_peaks()) == predict(bare, op, round_peaks()));
    }
}

TEST_CASE("a law of tiles is told from a smooth one by rows left out") {
    std::vector<double> constants;
    for (const FormConstant& c : kernel_forms().find("gemm_tiles")->constants) constants.push_back(c.initial);
    CHECK(fit_group(made_up_gemms("gemm_tiles", constants, 0.01, 6), round_peaks(), {}).models.front().form ==
          "gemm_tiles");
}

TEST_CASE("residual statistics of five numbers") {
    // Measured / predicted 0.8, 1, 1, 1.25, 2: predicted / measured - 1 is 0.25, 0, 0, -0.2, -0.5.
    const Residuals residuals = residuals_from({std::log(2.0), 0.0, std::log(0.8), std::log(1.25), 0.0});
    CHECK(residuals.count == 5);
    CHECK(residuals.bias == Approx(-0.09));
    CHECK(residuals.mean_ape == Approx(0.19));
    CHECK(residuals.median_ape == Approx(0.2));
    CHECK(quantile(residuals, 0.5) == Approx(0.0).margin(1e-12));
    CHECK(quantile(residuals, 1.0) == Approx(std::log(2.0)));
    CHECK(std::is_sorted(residuals.quantiles.begin(), residuals.quantiles.end()));
}

TEST_CASE("a row that stands for others counts as often as they would") {
    // 0.1 stands for two rows more: the same as measured three times.
    const std::vector<double> apart{-0.2, 0.1, 0.4}, repeated{-0.2, 0.1, 0.1, 0.1, 0.4};
    const Residuals weighed = residuals_from(apart, {1, 3, 1}), all = residuals_from(repeated);
    CHECK(weighed.mean_ape == Approx(all.mean_ape));
    CHECK(weighed.bias == Approx(all.bias));
    // The middles of their weights lie at 0.5, 2.5 and 4.5 of 5; 1.5 of 5 is half way between the first two.
    CHECK(quantile(weighed, 0.1) == Approx(-0.2));
    CHECK(quantile(weighed, 0.3) == Approx(-0.05));
    CHECK(quantile(weighed, 0.5) == Approx(0.1));
}
