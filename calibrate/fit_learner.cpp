#include "calibrate/fit_learner.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <Eigen/Cholesky>

namespace plimsoll {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

/// Added to the diagonal of what is factorised, relative to its mean.
constexpr double jitter = 1e-8;

MatrixXd regularised(const MatrixXd& between, const MatrixXd& among, const VectorXd& weights, double noise) {
    const MatrixXd scaled = between.transpose() * weights.cwiseSqrt().asDiagonal();
    MatrixXd normal = noise * among;
    normal.selfadjointView<Eigen::Lower>().rankUpdate(scaled);  // half the work; what solves it reads this half alone
    normal.diagonal().array() += jitter * normal.diagonal().mean();
    return normal;
}

/// Likeness of the rows of two matrices.
MatrixXd kernel(const MatrixXd& from, const MatrixXd& to, const VectorXd& widths, bool jumps) {
    const VectorXd inverse = widths.cwiseInverse();
    const MatrixXd a = from * inverse.asDiagonal(), b = to * inverse.asDiagonal();
    MatrixXd squares = -2.0 * a * b.transpose();
    squares.colwise() += a.rowwise().squaredNorm();
    squares.rowwise() += b.rowwise().squaredNorm().transpose();
    if (jumps) return (-squares.array().max(0.0).sqrt()).exp();
    return (-0.5 * squares.array()).exp();
}

/// Of kernels that jump: widths in logarithms of sizes and noise with which 30 rows predict others best (mean over the
/// 14 groups of published products), and how far the logarithms of others lie from
/// them. A few rows alone do not tell five such numbers.
constexpr double usual_width = 8.0, usual_noise = 0.1, usual_spread = 0.4;

/// How many rows and centers a search looks at.
struct SearchSize {
    std::size_t rows;
    Index centers;
};
constexpr SearchSize coarse_search{200, 60}, fine_search{600, 150};

/// The search for widths and noise.
struct Search {
    MatrixXd features, centers;
    VectorXd residuals, weights;
    bool jumps;

    [[nodiscard]] double leave_one_out(const LearnerShape& shape) const {
        const MatrixXd between = kernel(features, centers, shape.widths, jumps);
        const Eigen::LLT<MatrixXd> factor(
            regularised(between, kernel(centers, centers, shape.widths, jumps), weights, shape.noise));
        if (factor.info() != Eigen::Success) return 1e300;
        const MatrixXd half = factor.matrixL().solve(between.transpose());  // [centers x rows]
        const VectorXd leverage = half.colwise().squaredNorm().transpose().cwiseProduct(weights);
        const VectorXd fitted = half.transpose() * (half * weights.cwiseProduct(residuals));
        return ((residuals - fitted).array() / (1.0 - leverage.array()).max(1e-6)).abs().mean();
    }

    /// What the search lowers: the error as rows tell it, and how far widths and noise lie from the usual ones.
    [[nodiscard]] double loss(const LearnerShape& shape) const {
        const double error = leave_one_out(shape);
        if (!jumps) return error;
        const double far = (shape.widths.array() / usual_width).log().square().sum() +
                           std::pow(std::log(shape.noise / usual_noise), 2);
        return static_cast<double>(residuals.size()) * std::log(std::max(error, 1e-12)) +
               0.5 * far / (usual_spread * usual_spread);
    }

    [[nodiscard]] VectorXd range() const {
        return (features.colwise().maxCoeff() - features.colwise().minCoeff()).cwiseMax(1e-3);
    }

    /// The better end of two descents: from wide kernels alone, a narrow hump is not found.
    [[nodiscard]] LearnerShape coarse() const {
        const VectorXd usual = VectorXd::Constant(features.cols(), usual_width);
        const auto [wide, wide_loss] =
            descend(jumps ? LearnerShape{usual, usual_noise} : LearnerShape{0.5 * range(), 0.3}, {2.5, 1.5});
        const auto [narrow, narrow_loss] = descend({0.15 * range(), 0.3}, {2.5, 1.5});
        return narrow_loss < wide_loss ? narrow : wide;
    }

    /// Coordinate descent by factors: coarse steps do where the optimum is flat.
    [[nodiscard]] std::pair<LearnerShape, double> descend(LearnerShape chosen, std::vector<double> factors) const {
        constexpr double widest = 8.0, narrowest = 0.02;
        const VectorXd ranges = range();
        double least = loss(chosen);
        for (const double factor : factors)
            for (Index c = 0; c <= ranges.size(); ++c)
                for (const double by : {factor, 1.0 / factor})
                    for (int repeat = 0; repeat < 3; ++repeat) {
                        LearnerShape shape = chosen;
                        (c < ranges.size() ? shape.widths[c] : shape.noise) *= by;
                        if (c < ranges.size() &&
                            (shape.widths[c] > widest * ranges[c] || shape.widths[c] < narrowest * ranges[c]))
                            break;
                        const double value = loss(shape);
                        if (value >= least) break;
                        least = value, chosen = shape;
                    }
        return {chosen, least};
    }
};

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

LearnerFit::LearnerFit(const MatrixXd& features, std::size_t most_centers, bool jumps)
    : features_(features), jumps_(jumps) {
    const std::vector<Index> rows = spread_rows(scaled_columns(features), most_centers);
    centers_ = features(rows, Eigen::all);
}

VectorXd LearnerFit::center_weights(const LearnerShape& shape, const VectorXd& residuals,
                                    const VectorXd& weights) const {
    const MatrixXd between = kernel(features_, centers_, shape.widths, jumps_);
    return regularised(between, kernel(centers_, centers_, shape.widths, jumps_), weights, shape.noise)
        .ldlt()
        .solve(between.transpose() * weights.cwiseProduct(residuals));
}

LearnerShape LearnerFit::choose(const VectorXd& residuals, const VectorXd& weights) const {
    std::vector<Index> rows;
    for (Index row = 0; row < weights.size(); ++row)
        if (weights[row] > 0) rows.push_back(row);
    const auto search = [&](const SearchSize& size) {
        const std::size_t step = 1 + rows.size() / size.rows;
        std::vector<Index> some;
        for (std::size_t i = 0; i < rows.size(); i += step) some.push_back(rows[i]);
        return Search{features_(some, Eigen::all), centers_.topRows(std::min(centers_.rows(), size.centers)),
                      residuals(some), weights(some), jumps_};
    };
    // Few of the rows say where to look.
    const LearnerShape start = search(coarse_search).coarse();
    if (rows.size() <= coarse_search.rows && centers_.rows() <= coarse_search.centers) return start;
    return search(fine_search).descend(start, {1.5}).first;
}

VectorXd LearnerFit::corrections(const LearnerShape& shape, const VectorXd& residuals, const VectorXd& weights,
                                 double bound) const {
    const VectorXd fitted =
        kernel(features_, centers_, shape.widths, jumps_) * center_weights(shape, residuals, weights);
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
