#include "calibrate/timing.hpp"

#include <cmath>
#include <functional>
#include <random>

#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

/// A clock that moves only while the kernel below runs.
struct FakeClock {
    Seconds time{};
    Seconds operator()() const { return time; }
};

/// A kernel whose i-th run gives the i-th reading; the clock moves on by the reading and by what launching costs.
class FakeKernel final : public PreparedKernel {
  public:
    FakeKernel(FakeClock& clock, std::function<Reading(int)> readings)
        : clock_(&clock), readings_(std::move(readings)) {}
    Reading run() override {
        const Reading reading = readings_(runs_++);
        clock_->time += reading.elapsed + Seconds(1e-5);
        return reading;
    }
    double error() override { return 0; }
    [[nodiscard]] double tolerance() const override { return 0; }
    [[nodiscard]] int runs() const { return runs_; }

  private:
    FakeClock* clock_;
    std::function<Reading(int)> readings_;
    int runs_ = 0;
};

Sample timed(const std::function<Reading(int)>& readings, const TimingRule& rule = {}, int* runs = nullptr) {
    FakeClock clock;
    FakeKernel kernel(clock, readings);
    Sample sample = time_kernel({}, kernel, rule, clock);
    if (runs) *runs = kernel.runs();
    return sample;
}

std::vector<Seconds> seconds(const std::vector<double>& values) {
    std::vector<Seconds> result;
    for (const double value : values) result.emplace_back(value);
    return result;
}

std::vector<Seconds> noise(std::size_t count, unsigned seed, const std::function<double(double, std::size_t)>& shape) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::vector<Seconds> times;
    for (std::size_t i = 0; i < count; ++i) times.emplace_back(shape(normal(random), i));
    return times;
}

}  // namespace

TEST_CASE("the median's interval is that of the binomial law") {
    // 2 / 2^5 = 6.25 % lie outside the extremes of five readings, 2 / 2^6 = 3.1 % outside those of six.
    CHECK_FALSE(median_interval(seconds({1, 2, 3, 4, 5})));
    const auto six = median_interval(seconds({6, 5, 4, 3, 2, 1}));
    REQUIRE(six);
    CHECK(six->low.value() == 1);
    CHECK(six->high.value() == 6);
    CHECK(six->median.value() == 3.5);
    // Tables of the sign test: the 2nd of 9, the 3rd of 12, the 6th of 20, the 18th of 50, the 40th of 100.
    for (const auto& [count, rank] : {std::pair{9, 2}, {12, 3}, {20, 6}, {50, 18}, {100, 40}}) {
        std::vector<double> values;
        for (int i = 1; i <= count; ++i) values.push_back(i);
        const auto interval = median_interval(seconds(values));
        REQUIRE(interval);
        CHECK(interval->low.value() == rank);
        CHECK(interval->high.value() == count + 1 - rank);
    }
}

TEST_CASE("the median's interval covers the median of a skewed law in 95 percent of all series") {
    int inside = 0;
    constexpr int series = 2000;
    for (unsigned seed = 0; seed < series; ++seed) {
        const auto interval = median_interval(noise(25, seed, [](double z, std::size_t) { return std::exp(z); }));
        inside += interval->low.value() <= 1.0 && 1.0 <= interval->high.value();
    }
    CHECK(inside >= series * 0.95);  // 95.7 % by the binomial law with 25 readings
    CHECK(inside <= series * 0.97);
}

TEST_CASE("a steady kernel is done after the fewest readings, warm-up apart") {
    int runs = 0;
    const Sample sample = timed([](int i) { return Reading{Seconds(i < 3 ? 9e-3 : 1e-3), 1400}; }, {}, &runs);
    CHECK(sample.times.size() == 7);
    CHECK(runs == 10);
    CHECK(sample.median.value() == 1e-3);
    CHECK(sample.relative_half_width == 0);
    CHECK(sample.clock_mhz == 1400);
    CHECK_FALSE(sample.timed_out);
}

TEST_CASE("throttled readings are counted and not used") {
    const Sample sample = timed([](int i) {
        const bool held_back = i % 3 == 0;
        return Reading{Seconds(held_back ? 2e-3 : 1e-3), held_back ? 700.0 : 1400.0, held_back};
    });
    CHECK(sample.median.value() == 1e-3);
    CHECK(sample.times.size() == 7);
    CHECK(sample.discarded == 4);  // runs 3, 6, 9 and 12 of the ten that follow the warm-up of three
    CHECK(sample.clock_mhz == 1400);

    const Sample none = timed([](int) { return Reading{Seconds(1e-3), 700, true}; });
    CHECK(none.times.empty());
    CHECK(none.timed_out);
    CHECK(none.discarded > 900);
    CHECK(none.median.value() == 0);
}

TEST_CASE("a kernel too slow for its time is stopped and marked") {
    int runs = 0;
    const Sample sample = timed([](int) { return Reading{Seconds(0.3), 1000}; }, {}, &runs);
    CHECK(sample.timed_out);
    CHECK(runs == 4);  // one warm-up takes more than a quarter of the second, three readings fill it
    CHECK(sample.times.size() == 3);
    CHECK(sample.median.value() == 0.3);
    CHECK(timed([](int) { return Reading{Seconds(5), 1000}; }).times.size() == 1);
}

TEST_CASE("readings go on until the median is known well enough") {
    std::mt19937 random(7);
    std::normal_distribution<double> normal;
    const auto noisy = [&](int) { return Reading{Seconds(1e-4 * (1.0 + 0.03 * normal(random))), 1000}; };
    const Sample sample = timed(noisy, {.stable_from = 1000});
    CHECK_FALSE(sample.timed_out);
    CHECK(sample.relative_half_width <= 0.01);
    // The median's standard error is 1.25 sigma / sqrt(n): 1.96 of them are 1 % at n = 54; the interval's own
    // noise lets it end earlier.
    CHECK(sample.times.size() >= 15);
    CHECK(sample.times.size() <= 90);
}

TEST_CASE("a spread that no longer changes ends the timing before the median is known to the target") {
    std::mt19937 random(3);
    std::uniform_real_distribution<double> uniform(1e-4, 2e-4);
    const Sample sample = timed(
        [&](int) {
            return Reading{Seconds(uniform(random)), 1000};
        },
        {.most_readings = 100000});
    CHECK_FALSE(sample.timed_out);
    CHECK(sample.relative_half_width > 0.01);
    CHECK(sample.times.size() >= 40);
    CHECK(sample.times.size() < 3000);
}

TEST_CASE("a drift is seen, widens the half-width and keeps the timing going") {
    const Sample sample = timed([](int i) { return Reading{Seconds(1e-3 * (1.0 + 0.01 * i)), 1000}; });
    CHECK(sample.timed_out);
    // Half of the readings lie half a series apart: the later median is 0.005 n above the earlier one.
    const double n = static_cast<double>(sample.times.size());
    CHECK_THAT(findings(sample.times).drift, Catch::Matchers::WithinRel(0.005 * n / (1.03 + 0.0025 * n), 0.05));
    CHECK(sample.relative_half_width >= findings(sample.times).drift / 2.0);
}

TEST_CASE("drift, spikes and two clusters are told from plain noise") {
    int drifting = 0, bimodal = 0;
    std::uint32_t spikes = 0;
    for (unsigned seed = 0; seed < 200; ++seed) {
        const Findings plain = findings(noise(60, seed, [](double z, std::size_t) { return 1.0 + 0.02 * z; }));
        drifting += plain.drift != 0;
        bimodal += plain.bimodal;
        spikes += plain.spikes;
    }
    CHECK(drifting <= 4);  // one in 370 by chance
    CHECK(bimodal == 0);
    CHECK(spikes == 0);

    const auto spiked = noise(60, 1, [](double z, std::size_t i) { return (i % 20 == 7 ? 3.0 : 1.0) + 0.01 * z; });
    CHECK(findings(spiked).spikes == 3);
    CHECK_FALSE(findings(spiked).bimodal);
    CHECK(median_of(spiked).value() < 1.02);

    const auto two = noise(60, 1, [](double z, std::size_t i) { return (i * 7 % 10 < 4 ? 1.2 : 1.0) + 0.005 * z; });
    CHECK(findings(two).bimodal);
    CHECK(findings(two).drift == 0);

    const auto falling =
        noise(60, 1, [](double z, std::size_t i) { return 1.0 - 0.001 * static_cast<double>(i) + 0.01 * z; });
    CHECK(findings(falling).drift < -0.015);
    CHECK(findings({}).spikes == 0);
}

TEST_CASE("disturbed readings are used, and said so, only where too few others come") {
    const Sample enough = timed([](int i) { return Reading{Seconds(i % 2 ? 1e-3 : 3e-3), 1400, false, i % 2 == 0}; });
    CHECK_FALSE(enough.disturbed);
    CHECK(enough.median.value() == 1e-3);
    CHECK(enough.times.size() == 7);
    CHECK(enough.discarded == 6);  // runs 3 to 16 count: seven odd ones, and the even ones between them

    const Sample busy = timed([](int) { return Reading{Seconds(3e-3), 1400, false, true}; });
    CHECK(busy.disturbed);
    CHECK_FALSE(busy.timed_out);
    CHECK(busy.median.value() == 3e-3);
    CHECK(busy.discarded == 0);
    // A quarter of a second goes by before they have to do: 0.25 / 3.01 ms runs, three of them to warm up.
    CHECK(busy.times.size() == 81);
}
