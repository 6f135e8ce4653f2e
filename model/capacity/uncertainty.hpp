#pragma once
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "model/base/interval.hpp"
#include "model/cost/causes.hpp"
#include "model/spec/slo.hpp"

namespace plimsoll {

/// What the errors of the constants leave open of one instance. Intervals are of 80 %: the 10th to the 90th percentile.
struct Uncertainty {
    Interval capacity;  ///< of an instance within the promises: users, or requests/s of an open load
    Interval nodes;     ///< needed by the whole load, without spares
    /// At the planned load, s; infinite where the instance is overloaded.
    std::array<std::array<Interval, statistic_names.size()>, metric_names.size()> latencies;
    double promise_probability = 0;            ///< that every promise holds at the planned load
    double sure_capacity = 0;                  ///< what an instance carries with the confidence asked for, if any is
    std::vector<std::string> beyond_measured;  ///< sizes of operators that no measurement covers
};

/// Orthonormal directions in the space of the causes' standard deviations, the most telling first: along them, and to
/// first order nowhere else, the times move whose sensitivities these are (principal components of A A^T, where A has
/// a row of d ln t / d z for each time).
[[nodiscard]] std::vector<ByCause<double>> main_directions(const ByCause<double>& first, const ByCause<double>& second);

/// What latencies are kept as, so that they stay in order: -1 / latency, in 1/s; 0 of an overload.
[[nodiscard]] inline double rank_of_latency(double seconds) {
    return -1.0 / seconds;
}
/// s; infinite from 0 on.
[[nodiscard]] inline double latency_of_rank(double rank) {
    return rank < 0.0 ? -1.0 / rank : HUGE_VAL;
}

/// A quantity as a function of up to three standard normal numbers, known at -h, 0 and h of each and linear in each
/// between and beyond: a response surface, so that thousands of draws cost 9 or 27 evaluations.
class Surface {
  public:
    /// Where it has to be known, in units of a standard deviation along each direction.
    using Point = std::array<double, 3>;
    [[nodiscard]] static std::vector<Point> points(std::size_t directions);

    /// `values` at these points; infinities count as larger or smaller than all.
    explicit Surface(std::vector<double> values) : values_(std::move(values)) {}
    /// Of a surface of ranks of latencies: with a delay added to each that is independent of the directions, and whose
    /// logarithm is normal, of that standard deviation.
    [[nodiscard]] Surface delayed(Seconds median, double deviation) const;
    /// There, without a delay.
    [[nodiscard]] double at(Point point) const;
    /// What it is at the most with a probability of `share`, under the normal law.
    [[nodiscard]] double quantile(double share) const;
    /// 10th to 90th percentile.
    [[nodiscard]] Interval middle_80_percent() const;
    /// Probability that the quantity is `limit` at the most.
    [[nodiscard]] double probability_of_at_most(double limit) const;
    /// Its values at equally likely draws, the same ones for all surfaces of as many directions.
    [[nodiscard]] std::vector<double> draws() const;

  private:
    std::vector<double> values_;
    Seconds delay_{};       ///< median
    double deviation_ = 0;  ///< of its logarithm
};

/// Probability that each of several quantities, drawn together, is its limit at the most.
[[nodiscard]] double probability_of_at_most(std::span<const Surface> surfaces, std::span<const double> limits);

}  // namespace plimsoll
