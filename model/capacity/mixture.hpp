#pragma once
#include <cstddef>
#include <span>
#include <utility>
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

/// A latency as a mixture of components, from which `Percentiles` reads its quantiles. Weights need not sum to 1.
/// Mean and variance are exact under `merge` and `assign_sum`; only the shape inside a component is approximate.
class Mixture {
  public:
    void clear() { components_.clear(); }
    /// Components of weight zero are left out; nothing may be negative, and a variance needs a mean.
    void add(double weight, Seconds mean, SecondsSquared variance = SecondsSquared(0.0));
    /// All of `other`, its weights multiplied by `factor`.
    void add(const Mixture& other, double factor = 1.0);

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
    friend class Percentiles;
    std::vector<Component> components_;
};

/// Quantiles of a mixture: built once from it, then asked for any number of levels; reusable without allocation.
/// Components are merged to 32; each is cut into slices of probability, finer towards its upper tail, through the cube
/// of Wilson and Hilferty (1931), and stretched so that its mean stays and its variance too (to 1 % where it exceeds
/// mean^2). Of gamma laws and their mixtures with variance <= mean^2, p50 .. p99 are within 2.5 % of the exact
/// quantiles; of wider ones p90 .. p99 within 3 % up to variance 4 mean^2, their lower half only roughly.
class Percentiles;
std::vector<Component> components_;
};

/// Quantiles of a mixture: built once from it, then asked for any number of levels; reusable without allocation.
/// Each component is cut into slices of probability, finer towards its upper tail, through the Wilson-Hilferty cube
/// (Wilson and Hilferty 1931), and stretched so that mean and variance stay (of a component with variance above mean^2
/// only the mean). For gamma laws of at most the exponential's variance p50 .. p99 are within 2 % of the exact ones.
class Percentiles {
  public:
    /// Throws nothing; an empty mixture counts as an atom at 0.
    void build(const Mixture& mixture);

    /// The q-quantile, 0 <= q <= 1: monotone and continuous in q, linear between neighbouring points, each of which
    /// stands at the middle of its own weight (Hazen's rule); at the ends the outermost point.
    [[nodiscard]] Seconds at(double q) const;
    /// The inverse: the share of the weight at or below `limit`.
    [[nodiscard]] double share_within(Seconds limit) const;
    /// Moments of the points themselves.
    [[nodiscard]] Seconds mean() const;
    [[nodiscard]] SecondsSquared variance() const;

  private:
    struct Point {
        double value;  // s
        double level;  // while building the weight, then the share of all weight below its middle
    };
    void expand(std::span<const Component> components);
    void sort();

    Mixture merged_;
    std::vector<Point> points_;
    std::vector<Point> unsorted_;
    std::vector<std::size_t> bucket_ends_;
    double mean_ = 0.0;
    double variance_ = 0.0;
};

}  // namespace plimsoll
