#pragma once
#include <vector>

#include "model/spec/profile.hpp"

namespace plimsoll {

/// Statistics of ln(measured / predicted); `weights`: how many rows each stands for, 1 where absent.
[[nodiscard]] Residuals residuals_from(const std::vector<double>& logs, std::vector<double> weights = {});
/// The quantile of the logarithm at a share (0 .. 1), between the stored ones.
[[nodiscard]] double quantile(const Residuals& residuals, double share);

}  // namespace plimsoll
