#include "simulator/simulator.hpp"

#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

/// A step takes 10 ms, whatever it does.
const AffineTimer& ten_milliseconds() {
    static const AffineTimer timer(
        {.constant = Seconds(0.01), .per_prompt_token = {}, .per_decode = {}, .per_context_token = {}});
    return timer;
}

SimulationSetup setup_of(double rate) {
    SimulationSetup setup;
    setup.timer = &ten_milliseconds();
    setup.scheduler = schedulers().find("vllm-v0");
    setup.settings = setup.scheduler->defaults;
    setup.settings.kv_blocks = 1000;
    setup.load.rate = PerSecond(rate);
    setup.load.output = Distribution::fixed(4.0);
    setup.limits.requests = 1000;
    return setup;
}

}  // namespace

TEST_CASE("every engine of the library names a scheduler that holds KV as the engine says and takes its limits") {
    for (const std::string& name : plimsoll::testing::library().engines.names()) {
        INFO(name);
        const Deployment deployment = plimsoll::testing::deployment("llama-2-7b", "a100-80gb-sxm-8", 1, 1, name);
        const Instance instance(deployment);
        const bool full = deployment.engine->reservation == KvReservation::full;
        CHECK((instance.scheduler().holding == KvHolding::reserved) == full);
        // The budget counts the tokens outside the watermark, the scheduler keeps it free by itself.
        const SchedulerSettings& settings = instance.settings();
        CHECK(std::floor(static_cast<double>(settings.kv_blocks) * (1.0 - settings.watermark)) *
                  settings.block_tokens ==
              instance.memory().kv_tokens);
        CHECK(settings.max_sequences == static_cast<std::uint32_t>(deployment.engine->max_sequences));
    }
}

TEST_CASE("an instance that does not fit is refused with the reason") {
    const Deployment deployment = plimsoll::testing::deployment("llama-65b", "a30-24gb-pcie-8", 1);
    CHECK_THROWS_WITH(Instance(deployment), ContainsSubstring("llama-65b on a30-24gb-pcie-8: weights"));
}

TEST_CASE("several runs become one: counts add up, figures are averaged with Student's interval") {
    std::vector<SimulationResult> results(2);
    for (std::size_t i = 0; i < 2; ++i) {
        Report& report = results[i].report;
        MeasureSummary& ttft = report.measures[0];
        ttft.count = 10;
        ttft.mean.value = i == 0 ? 1.0 : 3.0;
        ttft.percentiles[3].value = 5.0;
        ttft.percentiles[3].few = i == 1;
        report.finished = 10 + i;
        report.unanswered = {.refused = 1, .timed_out = i, .lost = 2 * i};
        report.classes.resize(2);
        report.classes[1].finished = 3 * i;  // the first run had nothing of the second class
        report.classes[1].good = i;
        report.classes[1].goodput = PerSecond(4.0 * static_cast<double>(i));
        report.classes[0].finished = 5;
        for (std::size_t c = 0; c < 2; ++c)
            report.classes[c].latencies[Metric::ttft][Statistic::p90] = Seconds(static_cast<double>(2 * c + i));
        results[i].counts.timed_out = 7;
        report.batch_mean = 4.0 + 2.0 * static_cast<double>(i);
        results[i].counts.requests = 100 + i;
    }
    results[1].interrupted = true;
    const SimulationResult both = combined(results);
    // Samples 1 and 3: standard deviation sqrt 2, over sqrt 2 runs; t(0.975, 1) = tan(0.475 pi) = 12.706.
    const MeasureSummary& ttft = both.report[Measure::ttft];
    CHECK(ttft.mean.value == Approx(2.0));
    CHECK(ttft.mean.half_width == Approx(12.706).epsilon(1e-4));
    CHECK(ttft.percentiles[3].value == Approx(5.0));
    CHECK(ttft.percentiles[3].ci95.high == Approx(5.0));
    CHECK(ttft.percentiles[3].few);
    CHECK(ttft.count == 20);
    CHECK(both.report.finished == 21);
    CHECK(both.report.batch_mean == Approx(5.0));
    CHECK(both.counts.requests == 201);
    CHECK(both.interrupted);
    CHECK(both.report.unanswered.refused == 2);
    CHECK(both.report.unanswered.timed_out == 1);
    CHECK(both.report.unanswered.lost == 2);
    CHECK(both.counts.timed_out == 14);
    REQUIRE(both.report.classes.size() == 2);
    CHECK(both.report.classes[0].finished == 10);
    CHECK(both.report.classes[0].latencies[Metric::ttft][Statistic::p90] == Seconds(0.5));
    CHECK(both.report.classes[1].good == 1);
    CHECK(both.report.classes[1].goodput == PerSecond(2.0));
    CHECK(both.report.classes[1].latencies[Metric::ttft][Statistic::p90] == Seconds(3.0));
    const SimulationResult alone = combined(std::span(results).first(1));
    CHECK(alone.counts.requests == 100);
    CHECK_FALSE(alone.interrupted);
}

TEST_CASE("replications differ from each other, and not with the number of threads") {
    const SimulationSetup setup = setup_of(20.0);
    const auto one = simulate_replications(setup, 4, 1), three = simulate_replications(setup, 4, 3);
    REQUIRE(one.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(one[i].counts.end == three[i].counts.end);
        CHECK(one[i].report[Measure::ttft].mean.value == three[i].report[Measure::ttft].mean.value);
        if (i > 0) CHECK(one[i].counts.end != one[0].counts.end);
    }
}

TEST_CASE("a simulation that is told to stop ends with what it has counted") {
    std::atomic<bool> stop{false};
    /// Says so at the 100th request.
    struct Impatient final : Observer {
        explicit Impatient(std::atomic<bool>& flag) : stop(flag) {}
        void finished(const Request&) override { stop = ++count >= 100; }
        std::atomic<bool>& stop;
        int count = 0;
    };
    for (const std::uint32_t replicas : {1U, 3U}) {
        Impatient impatient(stop);
        SimulationSetup setup = setup_of(20.0);
        setup.replicas = replicas;
        setup.stop = &stop;
        const SimulationResult result = simulate(setup, &impatient);
        CHECK(result.interrupted);
        CHECK(result.counts.requests >= 100);
        CHECK(result.counts.requests < 110);
        // Nothing begins while the flag is up; there is a result all the same.
        const auto none = simulate_replications(setup, 3, 2);
        REQUIRE(none.size() == 1);
        CHECK(none.front().interrupted);
        CHECK(combined(none).report.finished == 0);
        stop = false;
    }
}

TEST_CASE("a router or a load that there is not is refused") {
    SimulationSetup setup = setup_of(20.0);
    setup.replicas = 2;
    setup.router = "rond-robin";
    CHECK_THROWS_WITH(simulate(setup), ContainsSubstring("did you mean 'round-robin'?"));
    setup.replicas = 1;
    setup.load.kind = "poison";
    CHECK_THROWS_WITH(simulate(setup), ContainsSubstring("did you mean 'poisson'?"));
}
