#include "calibrate/fit_constants.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Cholesky>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

/// Bounds become the ends of a logistic curve: ln x = low + (high - low) / (1 + exp(-u)).
struct Bounds {
    VectorXd low, high;

    explicit Bounds(const KernelForm& form) {
        const auto count = static_cast<Index>(form.constants.size());
        low.resize(count), high.resize(count);
        for (Index i = 0; i < count; ++i) {
            const FormConstant& constant = form.constants[static_cast<std::size_t>(i)];
            low[i] = std::log(constant.low), high[i] = std::log(constant.high);
        }
    }
    [[nodiscard]] VectorXd inside(const VectorXd& free) const {
        return low.array() + (high - low).array() / (1.0 + (-free.array()).exp());
    }
    [[nodiscard]] VectorXd free(const VectorXd& logs) const {
        const Eigen::ArrayXd share = ((logs - low).array() / (high - low).array()).max(1e-3).min(1 - 1e-3);
        return (share / (1.0 - share)).log();
    }
    /// d ln x / d u.
    [[nodiscard]] VectorXd slope(const VectorXd& logs) const {
        const Eigen::ArrayXd share = (logs - low).array() / (high - low).array();
        return (high - low).array() * share * (1.0 - share);
    }
};

VectorXd predictions(const KernelForm& form, const FitData& data, const VectorXd& logs) {
    const std::vector<double> constants = [&] {
        const VectorXd values = logs.array().exp();
        return std::vector<double>(values.begin(), values.end());
    }();
    VectorXd result(data.size());
    for (Index i = 0; i < data.size(); ++i)
        result[i] =
            std::log(form.time(*data.operators[static_cast<std::size_t>(i)], data.peaks, constants).total().value());
    return result;
}

/// d ln t / d ln x by differences to both sides, which a kink of a form does not throw off.
MatrixXd jacobian(const KernelForm& form, const FitData& data, const VectorXd& logs) {
    constexpr double step = 1e-3;
    MatrixXd result(data.size(), logs.size());
    for (Index c = 0; c < logs.size(); ++c) {
        VectorXd above = logs, below = logs;
        above[c] += step, below[c] -= step;
        result.col(c) = (predictions(form, data, above) - predictions(form, data, below)) / (2 * step);
    }
    return result;
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

double cost(const VectorXd& residuals, const VectorXd& weights, double scale, const VectorXd& logs,
            const ConstantPrior& prior) {
    return (weights.array() * residuals.array().square()).sum() / (scale * scale) +
           ((logs - prior.center).array() / prior.width.array()).square().sum();
}

/// One damped Gauss-Newton descent at fixed weights; returns how much the cost fell, relatively.
double descend(const KernelForm& form, const FitData& data, const ConstantPrior& prior, const Bounds& bounds,
               const VectorXd& weights, double scale, VectorXd& logs, double& damping) {
    const VectorXd residuals = log_residuals(form, data, logs);
    const double before = cost(residuals, weights, scale, logs, prior);
    const VectorXd slope = bounds.slope(logs);
    const MatrixXd j = jacobian(form, data, logs) * slope.asDiagonal();
    const VectorXd prior_weight = prior.width.array().square().inverse();
    const VectorXd w = weights / (scale * scale);
    MatrixXd normal = j.transpose() * w.asDiagonal() * j;
    normal.diagonal().array() += prior_weight.array() * slope.array().square();
    const VectorXd gradient = j.transpose() * w.asDiagonal() * residuals -
                              (prior_weight.array() * (logs - prior.center).array() * slope.array()).matrix();
    for (int attempt = 0; attempt < 12; ++attempt) {
        MatrixXd damped = normal;
        damped.diagonal() *= 1.0 + damping;
        damped.diagonal().array() += 1e-9;
        const VectorXd step = damped.ldlt().solve(gradient).cwiseMax(-2.0).cwiseMin(2.0);
        const VectorXd moved = bounds.inside(bounds.free(logs) + step);
        const double after = cost(log_residuals(form, data, moved), weights, scale, moved, prior);
        if (after < before) {
            logs = moved;
            damping = std::max(damping / 5.0, 1e-6);
            return (before - after) / before;
        }
        damping = std::min(damping * 5.0, 1e8);
    }
    return 0.0;
}

}  // namespace

FitData FitData::subset(const std::vector<Index>& rows) const {
    FitData result;
    result.peaks = peaks;
    result.log_seconds.resize(static_cast<Index>(rows.size()));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        result.operators.push_back(operators[static_cast<std::size_t>(rows[i])]);
        result.log_seconds[static_cast<Index>(i)] = log_seconds[rows[i]];
    }
    return result;
}

ConstantPrior prior_of(const KernelForm& form) {
    const auto count = static_cast<Index>(form.constants.size());
    ConstantPrior prior{VectorXd(count), VectorXd(count)};
    for (Index i = 0; i < count; ++i) {
        const FormConstant& constant = form.constants[static_cast<std::size_t>(i)];
        prior.center[i] = std::log(constant.initial);
        prior.width[i] = constant.prior_width;
    }
    return prior;
}

VectorXd log_residuals(const KernelForm& form, const FitData& data, const VectorXd& logs) {
    return data.log_seconds - predictions(form, data, logs);
}

VectorXd huber_weights(const VectorXd& residuals, double scale) {
    constexpr double corner = 1.345;  // 95 % efficiency for normal residuals (Huber 1981, table 4.2)
    return (corner * scale / residuals.array().abs().max(1e-12)).min(1.0);
}

double robust_scale(const VectorXd& residuals) {
    const VectorXd absolute = residuals.cwiseAbs();
    // Repeats of one number would make the scale 0 and all else an outlier.
    return std::clamp(1.4826 * median({absolute.begin(), absolute.end()}), 1e-3, 0.5);
}

ConstantFit fit_constants(const KernelForm& form, const FitData& data, const ConstantPrior& prior,
                          const VectorXd& start) {
    PLIMSOLL_ASSERT(data.size() > 0);
    const Bounds bounds(form);
    ConstantFit fit;
    fit.logs = bounds.inside(bounds.free(start));
    double damping = 1e-2;
    // Rounds in which little was won: a weight or the scale moved, and the next one follows. A few rows cost little.
    constexpr Index many_rows = 100;
    int slow = 0;
    for (int round = 0; round < 60; ++round) {
        const VectorXd residuals = log_residuals(form, data, fit.logs);
        fit.scale = robust_scale(residuals);
        const double fell =
            descend(form, data, prior, bounds, huber_weights(residuals, fit.scale), fit.scale, fit.logs, damping);
        slow = fell < 1e-4 ? slow + 1 : 0;
        if (fell < 1e-6 || (slow == 3 && data.size() >= many_rows)) break;
    }
    const VectorXd residuals = log_residuals(form, data, fit.logs);
    fit.scale = robust_scale(residuals);
    const MatrixXd j = jacobian(form, data, fit.logs);
    MatrixXd information =
        j.transpose() * (huber_weights(residuals, fit.scale) / (fit.scale * fit.scale)).asDiagonal() * j;
    information.diagonal().array() += prior.width.array().square().inverse();
    fit.covariance = information.ldlt().solve(MatrixXd::Identity(fit.logs.size(), fit.logs.size()));
    return fit;
}

}  // namespace plimsoll
