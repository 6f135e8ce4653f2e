#pragma once
#include <vector>

#include <Eigen/Core>

#include "model/spec/profile.hpp"

namespace plimsoll {

/// How smooth a residual learner is.
struct LearnerShape {
    Eigen::VectorXd widths;  ///< [features], in units of the features
    double noise = 0.1;      ///< variance of noise over that of what is learnt
};

/// Kernel regression of residuals on features [rows x features] with at most `most_centers` centers (subset of
/// regressors: Rasmussen, Williams 2006, section 8.3.1), whose leave-one-out errors and weights for a subset of the
/// rows cost one factorisation.
class LearnerFit {
  public:
    /// `jumps` as KernelForm has it.
    LearnerFit(const Eigen::MatrixXd& features, std::size_t most_centers, bool jumps);

    /// Widths and noise with the least mean absolute leave-one-out error of the rows whose `weights` are not 0 (of some
    /// hundreds of them, with fewer centers: the optimum is flat).
    [[nodiscard]] LearnerShape choose(const Eigen::VectorXd& residuals, const Eigen::VectorXd& weights) const;
    /// Corrections of all rows learnt from those whose `weights` are not 0.
    [[nodiscard]] Eigen::VectorXd corrections(const LearnerShape& shape, const Eigen::VectorXd& residuals,
                                              const Eigen::VectorXd& weights, double bound) const;
    /// The learner itself.
    [[nodiscard]] ResidualLearner learner(const LearnerShape& shape, const Eigen::VectorXd& residuals,
                                          const Eigen::VectorXd& weights, double bound) const;

  private:
    [[nodiscard]] Eigen::VectorXd center_weights(const LearnerShape& shape, const Eigen::VectorXd& residuals,
                                                 const Eigen::VectorXd& weights) const;

    Eigen::MatrixXd features_, centers_;
    bool jumps_;
};

/// Rows of a matrix that lie far from each other: the first nearest to the middle, each next farthest from all before.
[[nodiscard]] std::vector<Eigen::Index> spread_rows(const Eigen::MatrixXd& scaled, std::size_t count);
/// Columns scaled to 0 .. 1.
[[nodiscard]] Eigen::MatrixXd scaled_columns(const Eigen::MatrixXd& values);

}  // namespace plimsoll
