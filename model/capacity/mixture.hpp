#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "model/base/units.hpp"

namespace plimsoll {

using SecondsSquared = decltype(Seconds{} * Seconds{});

/// A positive law known by its weight and first two moments: an atom for variance 0, otherwise shaped as a gamma.
struct Component {
    double weight;
    double mean;      // s
    double variance;  // s^2
};

/// A latency as a mixture of components, from which `PercentileTable` reads its quantiles. Weights need not sum to 1.
/// Mean and variance are exact under `merge` and `assign_sum`; only the shape inside a component is approximate.
class Mixture {
  public:
    void clear() { components_.clear(); }
    /// Components of weight zero are left out; nothing may be negative, and a variance needs a mean.
    void add(double weight, Seconds mean, SecondsSquared variance = SecondsSquared(0.0));
    /// All of `other`, its weights multiplied by `factor`.
    void add(const Mixture& other, double factor = 1.0);

    /// Multiplies every value by `factor`, not negative.
    void scale(double factor);

    [[nodiscard]] bool empty() const { return components_.empty(); }
    [[nodiscard]] std::span<const Component> components() const { return components_; }
    [[nodiscard]] double weight() const;
    [[nodiscard]] Seconds mean() const;
    [[nodiscard]] SecondsSquared variance() const;

    /// Sorts the components by mean and merges neighbours into at most `groups`, conserving weight, mean and variance.
    /// Groups thin out towards the upper tail: about a share (j / groups)^2 of the weight belongs to the last j of
    /// them.
    void merge(std::size_t groups);
    /// Becomes the law of a sum of independent draws from `a` and `b` (means and variances add pair by pair). Both are
    /// first merged to at most `groups` components each; neither may be this object.
    void assign_sum(const Mixture& a, const Mixture& b, std::size_t groups = 16);

  private:
    std::vector<Component> components_;
};

}  // namespace plimsoll
