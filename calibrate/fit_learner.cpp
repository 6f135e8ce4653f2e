#include "calibrate/fit_learner.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Cholesky>

namespace plimsoll {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

/// Added to the diagonal of what is factorised, relative to its mean.
constexpr double jitter = 1e-8;

MatrixXd regularised(const MatrixXd& between, const MatrixXd& among, const VectorXd& weights, double noise) {
    MatrixXd normal = between.transpose() * weights.asDiagonal() * between + noise * among;
    normal.diagonal().array() += jitter * normal.diagonal().mean();
    return normal;
}

}  // namespace

MatrixXd scaled_columns(const MatrixXd& values) {
    MatrixXd result = values;
    for (Index c = 0; c < values.cols(); ++c) {
        const double low = values.col(c).minCoeff(), range = values.col(c).maxCoeff() - low;
        result.col(c) = (values.col(c).array() - low) / (range > 0 ? range : 1.0);
    }
    return result;
}

std::vector<Index> spread_rows(const MatrixXd& scaled, std::size_t count) {
    std::vector<Index> chosen;
    const VectorXd middle = scaled.colwise().mean();
    Index next = 0;
    (scaled.rowwise() - middle.transpose()).rowwise().squaredNorm().minCoeff(&next);
    VectorXd nearest = VectorXd::Constant(scaled.rows(), 1e300);
    while (chosen.size() < count) {
        chosen.push_back(next);
        nearest = nearest.cwiseMin((scaled.rowwise() - scaled.row(next)).rowwise().squaredNorm());
        if (nearest.maxCoeff(&next) <= 0) break;
    }
    return chosen;
}

LearnerFit::LearnerFit(const MatrixXd& features, std::size_t most_centers) : features_(features) {
    const std::vector<Index> rows = spread_rows(scaled_columns(features), most_centers);
    centers_ = features(rows, Eigen::all);
}

MatrixXd LearnerFit::kernel(const MatrixXd& from, const VectorXd& widths) const {
    const VectorXd inverse = widths.cwiseInverse();
    const MatrixXd a = from * inverse.asDiagonal(), b = centers_ * inverse.asDiagonal();
    MatrixXd squares = -2.0 * a * b.transpose();
    squares.colwise() += a.rowwise().squaredNorm();
    squares.rowwise() += b.rowwise().squaredNorm().transpose();
    return (-0.5 * squares.array()).exp();
}

VectorXd LearnerFit::center_weights(const LearnerShape& shape, const VectorXd& residuals,
                                    const VectorXd& weights) const {
    const MatrixXd between = kernel(features_, shape.widths);
    return regularised(between, kernel(centers_, shape.widths), weights, shape.noise)
        .ldlt()
        .solve(between.transpose() * weights.asDiagonal() * residuals);
}

double LearnerFit::leave_one_out(const LearnerShape& shape, const VectorXd& residuals, const VectorXd& weights) const {
    const MatrixXd between = kernel(features_, shape.widths);
    const Eigen::LLT<MatrixXd> factor(regularised(between, kernel(centers_, shape.widths), weights, shape.noise));
    if (factor.info() != Eigen::Success) return 1e300;
    const MatrixXd half = factor.matrixL().solve(between.transpose());  // [centers x rows]
    const VectorXd leverage = half.colwise().squaredNorm().transpose().cwiseProduct(weights);
    const VectorXd fitted = half.transpose() * (half * weights.asDiagonal() * residuals);
    return ((residuals - fitted).array() / (1.0 - leverage.array()).max(1e-6)).abs().mean();
}

LearnerShape LearnerFit::choose(const VectorXd& residuals, const VectorXd& weights) const {
    const VectorXd range = (features_.colwise().maxCoeff() - features_.colwise().minCoeff()).cwiseMax(1e-3);
    LearnerShape best{0.5 * range, 0.3};
    double least = leave_one_out(best, residuals, weights);
    const auto attempt = [&](const LearnerShape& shape) {
        const double error = leave_one_out(shape, residuals, weights);
        if (error >= least) return false;
        least = error, best = shape;
        return true;
    };
    // Coordinate descent by factors: the optimum is flat, so that coarse steps do.
    constexpr double widest = 8.0, narrowest = 0.02;
    for (const double factor : {2.5, 1.5}) {
        for (Index c = 0; c <= range.size(); ++c)
            for (const double by : {factor, 1.0 / factor})
                for (int repeat = 0; repeat < 3; ++repeat) {
                    LearnerShape shape = best;
                    (c < range.size() ? shape.widths[c] : shape.noise) *= by;
                    if (c < range.size() &&
                        (shape.widths[c] > widest * range[c] || shape.widths[c] < narrowest * range[c]))
                        break;
                    if (!attempt(shape)) break;
                }
    }
    return best;
}

VectorXd LearnerFit::corrections(const LearnerShape& shape, const VectorXd& residuals, const VectorXd& weights,
                                 double bound) const {
    const VectorXd fitted = kernel(features_, shape.widths) * center_weights(shape, residuals, weights);
    return fitted.cwiseMax(-bound).cwiseMin(bound);
}

ResidualLearner LearnerFit::learner(const LearnerShape& shape, const VectorXd& residuals, const VectorXd& weights,
                                    double bound) const {
    const VectorXd low = features_.colwise().minCoeff(), high = features_.colwise().maxCoeff();
    const VectorXd solved = center_weights(shape, residuals, weights);
    ResidualLearner result{{low.begin(), low.end()},
                           {high.begin(), high.end()},
                           {shape.widths.begin(), shape.widths.end()},
                           {},
                           {solved.begin(), solved.end()},
                           bound};
    for (Index row = 0; row < centers_.rows(); ++row)
        for (Index c = 0; c < centers_.cols(); ++c) result.centers.push_back(centers_(row, c));
    return result;
}

}  // namespace plimsoll
