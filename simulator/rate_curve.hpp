#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "simulator/load_plan.hpp"
#include "simulator/random.hpp"

namespace plimsoll {

/// A stretch of time on which the rate runs straight from one value to another.
struct RateSegment {
    Seconds length{};
    PerSecond from{}, to{};

    [[nodiscard]] double expected() const { return length * ((from + to) * 0.5); }
};

/// Poisson arrivals whose rate follows segments that repeat: each arrival lies where the integral of the rate has
/// grown by an exponential of mean 1 (inversion; Cinlar 1975, theorem 4.7.4). Some segment has a rate above 0.
class CurveArrivals {
  public:
    CurveArrivals(std::vector<RateSegment> segments, std::uint64_t seed)
        : segments_(std::move(segments)), stream_(seed, "arrivals") {}

    Seconds next() {
        double wanted = stream_.exponential() + passed_;
        for (; segments_[at_].expected() <= wanted; at_ = (at_ + 1) % segments_.size()) {
            wanted -= segments_[at_].expected();
            start_ += segments_[at_].length;
        }
        passed_ = wanted;
        return start_ + offset(segments_[at_], wanted);
    }

  private:
    /// Where in the segment `wanted` arrivals are expected: the root of from x + (to - from) / (2 length) x^2.
    static Seconds offset(const RateSegment& segment, double wanted) {
        const double b = segment.from.value();
        const double a = (segment.to - segment.from).value() / (2.0 * segment.length.value());
        return Seconds(2.0 * wanted / (b + std::sqrt(std::max(0.0, b * b + 4.0 * a * wanted))));
    }

    std::vector<RateSegment> segments_;
    RandomStream stream_;
    std::size_t at_ = 0;
    Seconds start_{};    ///< of the segment
    double passed_ = 0;  ///< arrivals expected from there to the last one
};

}  // namespace plimsoll
