#include <algorithm>
#include <cmath>

#include "simulator/histogram.hpp"
#include "simulator/random.hpp"
#include "simulator/statistics.hpp"
#include "simulator/warm_up.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

TEST_CASE("histogram: buckets are as narrow as promised") {
    RandomStream stream(1, "values");
    for (int i = 0; i < 100'000; ++i) {
        const double value = std::exp(13.0 * (2.0 * stream.uniform() - 1.0));
        const std::uint32_t bucket = LogBuckets::of(value);
        REQUIRE(LogBuckets::least(bucket) <= value);
        REQUIRE(LogBuckets::least(bucket + 1) > value);
        REQUIRE(std::abs(LogBuckets::middle(bucket) / value - 1.0) <= LogBuckets::relative_error);
    }
    CHECK(LogBuckets::of(0.0) == 0);
    CHECK(LogBuckets::of(1e-9) == 0);
    CHECK(LogBuckets::of(1e300) == LogBuckets::count - 1);
}

TEST_CASE("histogram: percentiles lie within 0.1 % of exact ones") {
    RandomStream stream(2, "values");
    LogHistogram histogram;
    std::vector<double> values;
    for (int i = 0; i < 50'000; ++i) {
        values.push_back(0.03 * stream.exponential() * stream.exponential());
        histogram.add(values.back());
    }
    for (const double q : {0.01, 0.5, 0.9, 0.95, 0.99, 0.999}) {
        INFO(q);
        std::vector<double> sorted = values;
        std::sort(sorted.begin(), sorted.end());
        const auto rank = static_cast<std::size_t>(q * 49'999);
        CHECK(histogram.quantile(q) >= sorted[rank] * (1 - 2 * LogBuckets::relative_error));
        CHECK(histogram.quantile(q) <= sorted[rank + 1] * (1 + 2 * LogBuckets::relative_error));
        // numpy: linear between the neighbours of rank q (n - 1).
        const double share = q * 49'999 - static_cast<double>(rank);
        CHECK(exact_quantile(values, q) ==
              Approx(sorted[rank] + share * (sorted[rank + 1] - sorted[rank])).epsilon(1e-13));
    }
    CHECK(LogHistogram().quantile(0.5) == 0.0);
}

TEST_CASE("histogram: a progression counts as its members do") {
    for (const double growth : {0.0, 1e-9, 1e-6, 3.1e-4, 0.51}) {
        INFO(growth);
        std::vector<std::uint64_t> jumped(LogBuckets::count), stepped(LogBuckets::count);
        std::uint64_t calls = 0, moved = 0;
        for_each_bucket(0.008, growth, 5000, [&](std::uint32_t bucket, std::uint64_t n) {
            jumped[bucket] += n;
            ++calls;
        });
        for (int i = 0; i < 5000; ++i) ++stepped[LogBuckets::of(0.008 + growth * i)];
        for (std::size_t i = 0; i < jumped.size(); ++i)
            moved += std::max(jumped[i], stepped[i]) - std::min(jumped[i], stepped[i]);
        // A member that lies on a border to the last bit may fall on either side.
        CHECK(moved <= 2);
        if (growth < 1e-5) CHECK(calls < 400);
    }
}

TEST_CASE("histogram: what was counted earlier can be taken away") {
    LogHistogram early, all;
    for (const double value : {1.0, 2.0, 4.0}) early.add(value);
    all = early;
    for (const double value : {32.0, 64.0, 128.0}) all.add(value);
    all.subtract(early);
    CHECK(all.count() == 3);
    CHECK(all.quantile(0.5) == Approx(64.0).epsilon(0.002));
    all.add(early);
    CHECK(all.count() == 6);
    CHECK(all.quantile(0.0) == Approx(1.0).epsilon(0.002));
}

TEST_CASE("statistics: Student's points are those of the tables") {
    // Abramowitz, Stegun, table 26.10.
    CHECK(student_t_975(1) == Approx(12.706).margin(5e-4));
    CHECK(student_t_975(2) == Approx(4.303).margin(5e-4));
    CHECK(student_t_975(3) == Approx(3.182).margin(5e-4));
    CHECK(student_t_975(4) == Approx(2.776).margin(5e-4));
    CHECK(student_t_975(7) == Approx(2.365).margin(5e-4));
    CHECK(student_t_975(30) == Approx(2.042).margin(5e-4));
    CHECK(student_t_975(120) == Approx(1.980).margin(5e-4));
    CHECK(student_t_975(1'000'000) == Approx(1.960).margin(5e-4));
}

TEST_CASE("statistics: intervals worked by hand") {
    // Deviation 1, three samples: 4.303 x 1 / sqrt(3).
    const Estimate mean = mean_of(std::vector<double>{1.0, 2.0, 3.0});
    CHECK(mean.value == Approx(2.0));
    CHECK(mean.half_width == Approx(2.4843).epsilon(1e-3));
    CHECK(std::isinf(mean_of(std::vector<double>{1.0}).half_width));
    // Pairs differ by 1, 1, 4: mean 2, deviation sqrt(3), 4.303 x sqrt(3) / sqrt(3).
    const Estimate difference =
        paired_difference(std::vector<double>{11.0, 21.0, 34.0}, std::vector<double>{10.0, 20.0, 30.0});
    CHECK(difference.value == Approx(2.0));
    CHECK(difference.half_width == Approx(4.3027).epsilon(1e-3));
    // 6 / 4; rests 2 - 1.5 and 4 - 4.5; t = 12.706; sqrt(0.5 x 2 / 1) / 4.
    const Estimate ratio = ratio_of(std::vector<double>{2.0, 4.0}, std::vector<double>{1.0, 3.0});
    CHECK(ratio.value == Approx(1.5));
    CHECK(ratio.half_width == Approx(12.706 / 4).epsilon(1e-3));
}

TEST_CASE("statistics: a correlation between neighbours is seen") {
    RandomStream stream(3, "noise");
    std::vector<double> independent, dependent{0.0};
    for (int i = 0; i < 20'000; ++i) {
        independent.push_back(stream.exponential());
        dependent.push_back(0.8 * dependent.back() + stream.exponential());
    }
    CHECK(lag_one_correlation(independent) == Approx(0.0).margin(0.03));
    CHECK(lag_one_correlation(dependent) == Approx(0.8).margin(0.03));
    CHECK(lag_one_correlation(std::vector<double>(10, 4.0)) == 0.0);
}

TEST_CASE("warm-up: the cut falls where a constructed transient ends") {
    std::vector<double> series(50, 10.0);
    for (int i = 0; i < 450; ++i) series.push_back(i % 2);
    CHECK(mser_cut(series) == 50);
    CHECK(mser_cut(std::vector<double>(series.begin() + 50, series.end())) == 0);
    // A course that only rises has no steady part: the cut stops at half of it.
    std::vector<double> rising;
    for (int i = 0; i < 400; ++i) rising.push_back(i);
    CHECK(mser_cut(rising) == 200);
    CHECK(mser_cut({}) == 0);

    Course course;
    for (int i = 0; i < 100'000; ++i) course.add(i < 20'000 ? 10.0 : 1.0 + i / 160 % 2);
    // Batches of 5 x 2^k values, at most 1024 of them, here 160.
    CHECK(course.warm_up() == Approx(20'000).margin(160));
}
