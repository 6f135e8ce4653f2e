#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "model/capacity/mixture.hpp"
#include "model/spec/slo.hpp"

namespace plimsoll {

/// Quantiles of a mixture: built once from it, then asked for any number of levels; reusable without allocation.
/// Components are merged to 32; each is cut into slices of probability, finer towards its upper tail, through the cube
/// of Wilson and Hilferty (1931), and adjusted so that its mean and its variance stay. Of gamma laws and their mixtures
/// with variance <= mean^2, p50 .. p99 are within 2.5 % of the exact quantiles; of wider ones p90 .. p99 within 4 % up
/// to variance 4 mean^2, their lower half only roughly.
class PercentileTable {
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

/// All statistics of a latency of this law; its mean is known better.
void read_percentiles(const Mixture& mixture, Seconds mean, Percentiles& result);

}  // namespace plimsoll
