#pragma once
#include <string>
#include <vector>

#include "calibrate/kernel_table.hpp"
#include "model/cost/kernel_form.hpp"
#include "model/spec/profile.hpp"

namespace plimsoll {

/// What a fit may do.
struct FitOptions {
    bool learner = true;             ///< a bounded residual learner where cross-validation says that it pays
    double learner_bound = 0.262;    ///< largest move of the logarithm of a time: 30 %
    std::size_t most_centers = 200;  ///< of the learner
    bool paths = true;               ///< constants of their own for the regimes that a form names
    std::vector<std::string> forms;  ///< the forms that compete; empty: all of the kernel
};

/// A row that the fit does not explain.
struct Outlier {
    std::string place;
    double ratio = 0;  ///< measured over predicted
};

/// The kernels of one group as fitted: a model for each path of the kernel that has constants of its own.
struct GroupFit {
    KernelGroup group;
    std::vector<KernelModel> models;  ///< the one for all other paths first
    std::vector<Outlier> outliers;
    /// The model that stands for an operator.
    [[nodiscard]] const KernelModel& model_of(const Operator& op) const;
};

/// Rows without which nothing is fitted.
inline constexpr std::size_t fewest_rows = 4;

/// Fits the rows of one group (all of the same, on a GPU of the given peaks for the operators' arithmetic): robust
/// least squares of the logarithm of the time, the form, the paths and the learner chosen by cross-validation.
/// There must be `fewest_rows`.
[[nodiscard]] GroupFit fit_group(const std::vector<KernelRow>& rows, const GpuPeaks& peaks, const FitOptions& options);

/// Time that a fitted model predicts.
[[nodiscard]] Seconds predict(const KernelModel& model, const Operator& op, const GpuPeaks& peaks);

}  // namespace plimsoll
