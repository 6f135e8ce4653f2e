#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <variant>
#include <vector>

#include "model/base/units.hpp"

namespace plimsoll {

/// Completion rates mu(n) [1/s] of a station by the number n of requests present, and how many of them it serves at
/// once. Built once a deployment; every solve below reads it and changes nothing.
class ServiceRates {
  public:
    /// `per_second[i]` is mu(i + 1), positive and finite, at least one; beyond the last one mu stays constant.
    /// At most `served_at_once` requests are in service, the others wait.
    ServiceRates(std::span<const double> per_second, std::size_t served_at_once);

    /// mu(n), with mu(0) = 0.
    [[nodiscard]] double rate(std::size_t n) const { return rate_[n < levels() ? n : levels()]; }
    /// 1 / mu(n) for n >= 1.
    [[nodiscard]] double time(std::size_t n) const { return time_[n < levels() ? n : levels()]; }
    /// The least n from which on mu is constant.
    [[nodiscard]] std::size_t levels() const { return rate_.size() - 1; }
    [[nodiscard]] std::size_t served_at_once() const { return served_at_once_; }
    /// mu(n) for n without bound: an open station with an infinite room is stable exactly below this rate.
    [[nodiscard]] PerSecond saturated() const { return PerSecond(rate_.back()); }
    /// The highest mu(n); it differs from `saturated()` only where more requests slow the station down.
    [[nodiscard]] PerSecond peak() const { return PerSecond(peak_); }
    [[nodiscard]] bool nondecreasing() const { return nondecreasing_; }

  private:
    std::vector<double> rate_;
    std::vector<double> time_;
    std::size_t served_at_once_;
    double peak_ = 0.0;
    bool nondecreasing_ = true;
};

/// Probabilities of the number of requests present: n = first .. first + size - 1 listed, then a geometric tail
/// p(n + 1) = p(n) tail_ratio of total mass `tail_mass` (zero but for an infinite room). States left out on either side
/// hold less than 1e-17 together. A view into the workspace of the solve: valid until its next use.
struct StateDistribution {
    std::size_t first = 0;
    std::span<const double> probability;
    double tail_mass = 0.0;
    double tail_ratio = 0.0;

    /// The last state listed.
    [[nodiscard]] std::size_t last() const { return first + probability.size() - 1; }
    /// P(number present >= n).
    [[nodiscard]] double at_least(std::size_t n) const;
    /// Calls `visit(weight, mean of n)` for up to some 32 runs of neighbouring states, and for the tail.
    template <class Visit>
    void by_groups(Visit visit) const;
};

/// The steady state of a chain. Means obey Little's law: mean_present = throughput x mean_response.
struct SteadyState {
    PerSecond throughput{};
    /// Arrivals turned away by a finite room.
    PerSecond lost{};
    double mean_present = 0.0;
    double mean_in_service = 0.0;
    double mean_waiting = 0.0;
    /// Time in the system and its part before service; without any load what a lone request would see.
    Seconds mean_response{};
    Seconds mean_wait{};
    /// An admitted arrival finds every place in service taken.
    double probability_of_waiting = 0.0;
    /// throughput / peak rate.
    double utilisation = 0.0;
    double probability_busy = 0.0;
    StateDistribution present;
    /// What an admitted arrival finds, itself not counted.
    StateDistribution seen_by_arrival;
};

/// No steady state: requests come at least as fast as they can leave, so that no wait is finite.
struct Overload {
    PerSecond goodput;
    PerSecond shed_rate;
};

/// Buffers that solves reuse; one a thread.
struct ChainWorkspace {
    struct Segment {
        std::size_t begin;
        int exponent;
    };
    std::vector<double> present;
    std::vector<double> seen;
    std::vector<Segment> segments;
};

/// Closed station: `users` users, each thinking for a time of mean `think_time` and then sending one request:
/// p(n + 1) = p(n) (N - n) / (Z mu(n + 1)), the machine-repair chain with a state-dependent server; insensitive to the
/// law of the think time, and under processor sharing to that of the work (Baskett, Chandy, Muntz, Palacios 1975).
/// An arrival sees p(n) (N - n) normalised, which is the same chain with one user fewer (arrival theorem, Sevcik and
/// Mitrani 1981). Without think time all users are always present.
[[nodiscard]] SteadyState solve_closed(const ServiceRates& rates, std::size_t users, Seconds think_time,
                                       ChainWorkspace& workspace);

/// Open station, Poisson arrivals, infinite room: p(n + 1) = p(n) lambda / mu(n + 1), the states of constant rate
/// summed as a geometric series (Kleinrock 1975, section 3.2); an arrival sees p (PASTA, Wolff 1982). From lambda =
/// mu(saturated) on the answer is an Overload.
[[nodiscard]] std::variant<SteadyState, Overload> solve_open(const ServiceRates& rates, PerSecond arrivals,
                                                             ChainWorkspace& workspace);

/// The same with room for at most `room` requests in all (at least 1): arrivals beyond are lost, any rate has a steady
/// state, and admitted arrivals see p(n) / (1 - p(room)), n < room.
[[nodiscard]] SteadyState solve_open_with_room(const ServiceRates& rates, PerSecond arrivals, std::size_t room,
                                               ChainWorkspace& workspace);

template <class Visit>
void StateDistribution::by_groups(Visit visit) const {
    constexpr std::size_t groups = 32;
    const std::size_t size = probability.size(), width = std::max<std::size_t>(1, size / groups);
    for (std::size_t begin = 0; begin < size; begin += width) {
        double weight = 0, moment = 0;
        for (std::size_t i = begin; i < std::min(size, begin + width); ++i) {
            weight += probability[i];
            moment += probability[i] * static_cast<double>(first + i);
        }
        if (weight > 1e-15) visit(weight, moment / weight);
    }
    if (tail_mass > 0) visit(tail_mass, static_cast<double>(last()) + 1.0 / (1.0 - tail_ratio));
}

}  // namespace plimsoll
