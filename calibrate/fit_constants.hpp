#pragma once
#include <vector>

#include <Eigen/Core>

#include "model/cost/kernel_form.hpp"

namespace plimsoll {

/// Measurements as a fit sees them.
struct FitData {
    std::vector<const Operator*> operators;
    Eigen::VectorXd log_seconds;
    GpuPeaks peaks;

    [[nodiscard]] Eigen::Index size() const { return log_seconds.size(); }
    [[nodiscard]] FitData subset(const std::vector<Eigen::Index>& rows) const;
};

/// Where the logarithms of the constants are believed to lie before the data are seen.
struct ConstantPrior {
    Eigen::VectorXd center, width;
};
[[nodiscard]] ConstantPrior prior_of(const KernelForm& form);

/// Constants of a form that fit measurements.
struct ConstantFit {
    Eigen::VectorXd logs;        ///< natural logarithms of the constants
    Eigen::MatrixXd covariance;  ///< of these logarithms
    double scale = 0.1;          ///< robust standard deviation of ln(measured / predicted)
};

/// ln(measured / predicted) of each row.
[[nodiscard]] Eigen::VectorXd log_residuals(const KernelForm& form, const FitData& data, const Eigen::VectorXd& logs);

/// Weights of residuals under Huber's loss, 1 within 1.345 `scale`.
[[nodiscard]] Eigen::VectorXd huber_weights(const Eigen::VectorXd& residuals, double scale);
/// 1.4826 times the median of the absolute residuals (the standard deviation where they are normal).
[[nodiscard]] double robust_scale(const Eigen::VectorXd& residuals);

/// Levenberg-Marquardt (Marquardt 1963) on iteratively reweighted residuals of the logarithm (Huber 1964), with a
/// normal prior on each logarithm and each constant kept within its bounds. `start`: logarithms to begin with.
[[nodiscard]] ConstantFit fit_constants(const KernelForm& form, const FitData& data, const ConstantPrior& prior,
                                        const Eigen::VectorXd& start);

}  // namespace plimsoll
