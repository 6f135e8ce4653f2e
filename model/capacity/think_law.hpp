#pragma once
#include <vector>

#include "model/base/units.hpp"
#include "model/spec/distribution.hpp"

namespace plimsoll {

/// When users who think come back: F, the law of think times, and what is left of it for those who have thought for
/// some time already.
class ThinkLaw {
  public:
    /// `shape` scaled to `mean`.
    ThinkLaw(const Distribution& shape, Seconds mean);

    /// F(t), the share of those who began to think that is back after `time`.
    [[nodiscard]] double back(double time) const;
    /// Of users who began at any time and have thought for `age` at the least, the share that is back `time` later:
    /// the integral of 1 - F from `age` to `age + time` over that from `age` on (equilibrium renewal process, Cox
    /// 1962).
    [[nodiscard]] double back(double time, double age) const;
    /// The time within which a share `u` is back, of those who began to think, and of the others.
    [[nodiscard]] double within(double u) const;
    [[nodiscard]] double within(double u, double age) const;
    [[nodiscard]] double mean() const { return mean_; }

  private:
    /// Integral of 1 - F from `time` on.
    [[nodiscard]] double rest(double time) const;

    double mean_;
    std::vector<double> points_;  ///< s, rising, equally likely
    std::vector<double> rests_;   ///< integral of 1 - F from each point on
};

}  // namespace plimsoll
