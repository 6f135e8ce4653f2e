#pragma once
#include "model/capacity/chain.hpp"
#include "model/capacity/mixture.hpp"

namespace plimsoll {

/// Mean and variance of a time.
struct TimeMoments {
    Seconds mean{};
    SecondsSquared variance{};
};

/// Wait until `departures` requests have left a first-come-first-served station that is full and completes `rate` per
/// second, the work of a request having the squared coefficient of variation `cv2` (1: exponential, 0: all alike).
/// Each departure takes a residual service: mean (1 + cv2) / 2 / rate; variance (1 + cv2) (1 + 5 cv2) / 12 / rate^2,
/// which is E[S^3] / (3 E[S]) less the squared mean for gamma work. With one server, Poisson arrivals and the number
/// found as in the exponential chain, this sum is the wait of M/G/1 without approximation in mean and variance
/// (Pollaczek-Khinchine as a geometric sum, Benes 1957). With several servers it is the rule of Lee and Longton (1959),
/// right in heavy traffic (Kollerstrom 1974) and too low by up to half for cv2 < 1 where hardly anyone waits.
/// It speaks of the wait for a place only: processor sharing in service is insensitive and must not be scaled.
[[nodiscard]] TimeMoments wait_of_position(double departures, PerSecond rate, double cv2);

/// Adds to `wait` what an arrival that sees `seen` waits for one of `places` in service: an atom at 0 for those who
/// find one free, and for n >= places found n - places + 1 departures at `rate` (see above). A geometric tail is one
/// component, exactly exponential for cv2 = 1 where it begins at `places`. The weight added is 1.
void add_waits(const StateDistribution& seen, std::size_t places, PerSecond rate, double cv2, Mixture& wait);

}  // namespace plimsoll
