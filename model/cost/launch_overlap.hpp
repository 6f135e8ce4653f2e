#pragma once
#include <optional>
#include <vector>

#include "model/base/units.hpp"

namespace plimsoll {

/// Time of a step whose kernels H seconds of launches on the host feed and G seconds on the GPU work off: (H^p +
/// G^p)^(1/p), straight between knots, so that a step stays piecewise affine in its context. Without a sharpness p it
/// is the longer of both, as if the host could run ahead without end.
///
/// The host runs ahead of long kernels, falls behind short ones, and begins each step with an empty queue: where H and
/// G are near, a step takes longer than either.
class LaunchOverlap {
  public:
    explicit LaunchOverlap(std::optional<double> sharpness);

    [[nodiscard]] Seconds time(Seconds gpu, Seconds launches) const;
    /// Ratios G / H, rising, at which the slope changes.
    [[nodiscard]] const std::vector<double>& knots() const { return knots_; }

  private:
    std::vector<double> knots_;
    std::vector<double> values_;  ///< time / H at the knots; empty: the longer of both
};

}  // namespace plimsoll
