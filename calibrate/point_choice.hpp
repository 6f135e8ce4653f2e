#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "calibrate/runner.hpp"
#include "calibrate/sample_table.hpp"
#include "model/cost/kernel_form.hpp"

namespace plimsoll {

/// Rates of the device for arithmetic of a type as tables name it.
using PeaksOfDtype = std::function<GpuPeaks(const std::string& dtype)>;

/// `count` of the candidates whose measurement would tell the fits of products and attention most: one by one that with
/// the largest predictive variance of the logarithm of its time, J C J^T (J: the form's derivatives at the fitted
/// constants, C: their covariance), C updated as if it had been measured with the fit's residual scale. This is the
/// greedy D-optimal design (V. V. Fedorov, Theory of Optimal Experiments, 1972). Without a fit there is no choice.
[[nodiscard]] std::vector<Job> telling_points(const std::vector<Job>& candidates, std::span<const Measured> samples,
                                              const SampleLabels& labels, const PeaksOfDtype& peaks, std::size_t count);

}  // namespace plimsoll
