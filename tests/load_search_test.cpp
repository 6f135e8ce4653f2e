#include <atomic>
#include <cmath>

#include "simulator/affine_timer.hpp"
#include "simulator/metrics.hpp"
#include "simulator/random.hpp"
#include "simulator/search.hpp"
#include "simulator/simulation.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

/// A ratio that reaches 1 at a load of 100 and 4 at 200.
double smooth(double load) {
    return load * load / 1e4;
}

/// The same with noise of a replication, from -0.1 to 0.1, that is the same at every load.
double noisy(double load, std::uint64_t seed, std::uint32_t replication) {
    RandomStream stream(seed, "noise", replication);
    return smooth(load) * (1.0 + 0.2 * (stream.uniform() - 0.5));
}

}  // namespace

TEST_CASE("search: the last load that holds is found from any guess") {
    for (const double guess : {1.0, 37.0, 99.0, 100.0, 101.0, 480.0, 9000.0}) {
        INFO(guess);
        SearchSettings settings;
        settings.guess = guess;
        settings.most = 10'000;
        settings.tolerance = 0.001;
        const SearchResult result = highest_load(settings, [](double load, std::uint32_t) { return smooth(load); });
        CHECK(result.highest == 100.0);
        CHECK(result.ci95.low == 100.0);
        CHECK(result.ci95.high == 101.0);
        CHECK_FALSE(result.reached_most);
        CHECK(result.trials.size() < 25);
        CHECK(result.runs == 4 * result.trials.size());
    }
}

TEST_CASE("search: a rate is found to the tolerance") {
    SearchSettings settings;
    settings.whole = false;
    settings.least = 1e-3;
    settings.tolerance = 1e-4;
    const SearchResult result = highest_load(settings, [](double load, std::uint32_t) { return smooth(load * 3.0); });
    CHECK(result.highest <= 100.0 / 3.0 * (1 + 1e-12));
    CHECK(result.highest == Approx(100.0 / 3.0).epsilon(1e-4));
}

TEST_CASE("search: limits of the range are said") {
    SearchSettings settings;
    settings.least = 10;
    settings.most = 50;
    settings.guess = 20;
    const SearchResult easy = highest_load(settings, [](double load, std::uint32_t) { return smooth(load); });
    CHECK(easy.highest == 50.0);
    CHECK(easy.reached_most);
    const SearchResult hopeless =
        highest_load(settings, [](double load, std::uint32_t) { return smooth(load * 100.0); });
    CHECK(hopeless.highest == 0.0);
    CHECK(hopeless.ci95.low == 0.0);
    CHECK(hopeless.ci95.high == 10.0);
    // An overload without end counts as broken.
    const SearchResult cliff = highest_load(
        settings, [](double load, std::uint32_t) { return load > 33 ? std::numeric_limits<double>::infinity() : 0.5; });
    CHECK(cliff.highest == 33.0);
}

TEST_CASE("search: one that is stopped says what the loads that it has tried are worth") {
    std::atomic<bool> stop{false};
    std::size_t told = 0;
    SearchSettings settings;
    settings.guess = 60;
    settings.most = 1000;
    settings.stop = &stop;
    settings.tell = [&](const SearchResult& result) {
        ++told;
        CHECK(result.trials.size() == told);
    };
    // 60 holds, so does 63, then 69, 81; 105 breaks, and the search is stopped at the next load.
    const SearchResult result = highest_load(settings, [&](double load, std::uint32_t) {
        stop = told == 5;
        return smooth(load);
    });
    CHECK(result.interrupted);
    CHECK(told == 5);
    CHECK(result.trials.size() == 5);
    CHECK(result.highest == 81.0);
    CHECK(result.ci95.low == 81.0);
    CHECK(result.ci95.high == 105.0);
}

TEST_CASE("search: the interval covers the true load, and more runs are spent near the limit only") {
    int covered = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        SearchSettings settings;
        settings.guess = 80;
        settings.most = 1000;
        settings.tolerance = 0.001;
        settings.threads = 1 + static_cast<std::uint32_t>(seed % 2);
        const SearchResult result = highest_load(
            settings, [&](double load, std::uint32_t replication) { return noisy(load, seed, replication); });
        covered += result.ci95.low <= 100.0 && result.ci95.high >= 100.0 ? 1 : 0;
        REQUIRE(result.ci95.low <= result.highest);
        REQUIRE(result.ci95.high >= result.highest);
        REQUIRE(result.ci95.high - result.ci95.low < 25.0);
        REQUIRE(result.trials.front().ratios.size() == 4);
    }
    CHECK(covered >= 88);
}

TEST_CASE("search: the rate of a simulated M/D/1 queue under a limit of its mean wait") {
    // Service S = 0.1 s; S + u S / (2 (1 - u)) = 0.2 s at a utilization u of 2/3 (Pollaczek, Khinchine).
    const AffineTimer timer({.constant = Seconds{0.1}});
    const SchedulerKind& kind = schedulers().at("vllm-v0", "scheduler", "test");
    SchedulerSettings engine = kind.defaults;
    engine.max_sequences = 1;
    engine.kv_blocks = 100;
    const Slo slo{.terms = {{Metric::ttft, Statistic::mean, Seconds{0.2}}}};
    SearchSettings settings;
    settings.whole = false;
    settings.least = 0.1;
    settings.most = 9.9;
    settings.guess = 4.0;
    const SearchResult result = highest_load(settings, [&](double rate, std::uint32_t replication) {
        LoadPlan plan;
        plan.seed = replication_seed(1, replication);
        plan.rate = PerSecond(rate);
        plan.requests = 6000;
        const auto source = make_source(plan, "test");
        RequestTable requests;
        Replica replica(requests, timer, kind, engine);
        Metrics metrics;
        simulate(*source, requests, replica, &metrics);
        return metrics.report().latencies().worst_ratio(slo);
    });
    CHECK(result.highest == Approx(20.0 / 3.0).epsilon(0.03));
    CHECK(result.ci95.low <= 20.0 / 3.0);
    CHECK(result.ci95.high >= 20.0 / 3.0);
    CHECK(result.ci95.high - result.ci95.low < 0.6);
}
