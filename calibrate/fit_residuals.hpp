#pragma once
#include <vector>

#include "model/spec/profile.hpp"

namespace plimsoll {

/// Statistics of ln(measured / predicted).
[[nodiscard]] Residuals residuals_from(std::vector<double> logs);
/// The quantile of the logarithm at a share (0 .. 1), between the stored ones.
[[nodiscard]] double quantile(const Residuals& residuals, double share);

}  // namespace plimsoll
