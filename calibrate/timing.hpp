#pragma once
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "calibrate/sample.hpp"

namespace plimsoll {

/// When the timing of one point begins to count and when it ends.
struct TimingRule {
    std::uint32_t warm_ups = 3;         ///< runs before those that count; fewer where they take a quarter of the time
    std::uint32_t least_readings = 7;   ///< that count; five are the fewest allowed, six the fewest with an interval
    std::uint32_t most_readings = 500;  ///< that count; reached, the point is as steady as it will be
    double half_width = 0.01;           ///< relative half-width of the median's 95 % interval that is good enough
    std::uint32_t stable_from = 40;     ///< readings from which a spread that no longer changes ends the timing
    double stable_within = 0.05;        ///< relative change of the spread that counts as none
    double patience = 0.25;             ///< share of the time limit after which disturbed readings have to do
    Seconds time_limit{1.0};            ///< of a point, warm-up included; reached before it is steady: timed out
};

/// A median with the order statistics that enclose the true one in at least 95 % of all cases, whatever the
/// distribution (binomial bounds); none from fewer than six readings.
struct MedianInterval {
    Seconds median, low, high;
    [[nodiscard]] double relative_half_width() const { return (high - low) / median / 2.0; }
};
[[nodiscard]] std::optional<MedianInterval> median_interval(std::span<const Seconds> times);
/// The middle one, or the mean of the middle two; at least one reading.
[[nodiscard]] Seconds median_of(std::span<const Seconds> times);

/// What is wrong with a series of readings, if anything.
struct Findings {
    double drift = 0;  ///< median of the later half over that of the earlier half, - 1; 0 where chance explains it
    std::uint32_t spikes = 0;  ///< readings far above the others
    bool bimodal = false;      ///< two clusters with a gap between them
};
[[nodiscard]] Findings findings(std::span<const Seconds> times);

/// How far (relative standard deviation) disturbed readings may be from undisturbed ones. Estimated: threads that share
/// a core take up to twice as long side by side as one after the other, ln 2 / 2.
inline constexpr double disturbed_deviation = 0.35;

/// Collects the readings of one point and says when there are enough. Throttled readings are counted, not used, and
/// neither are disturbed ones unless too few others have come when patience ends. The
/// half-width is that of the median's interval or half the drift, whichever is larger: the interval alone takes the
/// readings for independent.
class StoppingRule {
  public:
    enum class State { more, steady, timed_out };
    explicit StoppingRule(const TimingRule& rule) : rule_(rule) {}

    void add(const Reading& reading);
    /// What to do, `elapsed` after the beginning of the warm-up.
    [[nodiscard]] State state(Seconds elapsed);
    /// What came of it.
    [[nodiscard]] Sample sample(const KernelPoint& point, bool timed_out) const;

  private:
    struct Series {
        std::vector<Seconds> times;
        std::vector<double> clocks;
    };
    [[nodiscard]] bool is_steady();
    [[nodiscard]] const Series& used() const { return settle_ ? all_ : undisturbed_; }

    TimingRule rule_;
    Series undisturbed_, all_;     ///< without the throttled ones
    bool settle_ = false;          ///< for disturbed readings
    std::vector<double> spreads_;  ///< relative, at the last looks
    std::uint32_t discarded_ = 0;  ///< throttled
    std::size_t next_look_ = 0;    ///< readings at which to look again: looking sorts them
};

/// A clock gives the time since some moment of its own.
template <class C>
concept Clock = requires(C& now) {
    { now() } -> std::convertible_to<Seconds>;
};

/// Times one point: warm-up, then readings until the rule is content or the time is up.
template <Clock C>
[[nodiscard]] Sample time_kernel(const KernelPoint& point, PreparedKernel& kernel, const TimingRule& rule, C& now) {
    const Seconds start = now();
    for (std::uint32_t i = 0; i < rule.warm_ups && now() - start < rule.time_limit / 4.0; ++i) kernel.run();
    StoppingRule readings(rule);
    for (;;) {
        readings.add(kernel.run());
        const StoppingRule::State state = readings.state(now() - start);
        if (state != StoppingRule::State::more) return readings.sample(point, state == StoppingRule::State::timed_out);
    }
}

}  // namespace plimsoll
