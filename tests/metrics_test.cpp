#include "simulator/metrics.hpp"

#include <cmath>

#include "simulator/affine_timer.hpp"
#include "simulator/load_plan.hpp"
#include "simulator/random.hpp"
#include "simulator/replications.hpp"
#include "simulator/request_tag.hpp"
#include "simulator/simulation.hpp"
#include "tests/allocations.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

MetricsSettings all_of_the_run() {
    MetricsSettings settings;
    settings.warm_up = WarmUp::none;
    return settings;
}

SchedulerSettings roomy(std::uint32_t sequences) {
    SchedulerSettings settings;
    settings.max_sequences = sequences;
    settings.max_step_tokens = 1'000'000;
    settings.kv_blocks = 1'000'000;
    return settings;
}

RunCounts run(const LoadPlan& plan, const StepTimer& timer, Observer& observer, std::uint32_t sequences = 64,
              const RunLimits& limits = {}) {
    const auto source = make_source(plan, "test");
    RequestTable requests;
    Replica replica(requests, timer, schedulers().at("vllm-v0", "scheduler", "test"), roomy(sequences));
    return simulate(*source, requests, replica, &observer, limits);
}

/// Steps of one second, whatever is in them.
const AffineTimer& one_second_steps() {
    static const AffineTimer timer({.constant = Seconds{1.0}});
    return timer;
}

LoadPlan tiny_queue() {
    LoadPlan plan;
    plan.kind = "shared-queue";
    plan.users = 2;
    plan.requests = 3;
    plan.think_time = Distribution::fixed(1.0);
    plan.prompt = Distribution::fixed(10.0);
    plan.output = Distribution::fixed(2.0);
    return plan;
}

/// Hands a finished request with the given latencies to the metrics.
void finish(Metrics& metrics, double arrival, double ttft, double decode = 1.0, std::uint8_t load_class = 0) {
    Request request;
    request.tag = RequestTag{.load_class = load_class}.packed();
    request.arrival = request.scheduled = Seconds(arrival);
    request.first_token = request.arrival + Seconds(ttft);
    request.finished = request.first_token + Seconds(decode);
    request.prompt = 10;
    request.output = 3;
    metrics.finished(request);
}

}  // namespace

TEST_CASE("metrics: the shared queue drained together, by hand") {
    // Both send at 0; one prefill step to 1, one decode step to 2. Both think until 3; user 0 takes the last request,
    // which is done at 5; user 1 finds the queue empty.
    Metrics metrics(all_of_the_run());
    const RunCounts counts = run(tiny_queue(), one_second_steps(), metrics);
    const Report report = metrics.report();
    CHECK(counts.requests == 3);
    CHECK(report.finished == 3);
    CHECK(report.iterations == 4);
    for (const Measure measure : {Measure::ttft, Measure::tpot, Measure::itl}) {
        CHECK(report[measure].mean.value == Approx(1.0));
        CHECK(report[measure].percentiles[3].value == Approx(1.0).epsilon(0.001));
    }
    CHECK(report[Measure::e2e].mean.value == Approx(2.0));
    CHECK(report[Measure::queue].mean.value == 0.0);
    CHECK(report.to == Seconds{5.0});
    CHECK(report.request_rate.value == Approx(3.0 / 5.0));
    CHECK(report.output_token_rate.value == Approx(6.0 / 5.0));
    CHECK(report.total_token_rate.value == Approx(36.0 / 5.0));
    CHECK(report.batch_mean == Approx(6.0 / 4.0));
    CHECK(report.running_mean == Approx(6.0 / 5.0));
    CHECK(report.busy_share == Approx(4.0 / 5.0));
    CHECK(report.in_system_mean == Approx(6.0 / 5.0));
    CHECK(report[Measure::ttft].percentiles[3].few);
    CHECK(std::isinf(report[Measure::ttft].mean.half_width));
}

TEST_CASE("metrics: a ramp lets a prefill stall a decode, by hand") {
    // User 0 at 0: prefill to 1. User 1 at 0.5: its prefill goes first, to 2; both decode to 3. User 0 sends the last
    // request at 4: prefill to 5, decode to 6.
    LoadPlan plan = tiny_queue();
    plan.ramp = Seconds{1.0};
    Metrics metrics(all_of_the_run());
    run(plan, one_second_steps(), metrics);
    const Report report = metrics.report();
    CHECK(report[Measure::ttft].mean.value == Approx((1.0 + 1.5 + 1.0) / 3));
    CHECK(report[Measure::ttft].most == 1.5);
    CHECK(report[Measure::tpot].mean.value == Approx((2.0 + 1.0 + 1.0) / 3));
    CHECK(report[Measure::tpot].percentiles[0].value == 1.0);
    // The same gaps, seen from the strides: the first request's second token came two steps after its first.
    CHECK(report[Measure::itl].count == 3);
    CHECK(report[Measure::itl].mean.value == Approx(4.0 / 3));
    CHECK(report[Measure::itl].most == Approx(2.0).epsilon(0.002));
    CHECK(report[Measure::queue].most == 0.5);
    CHECK(report.waiting_mean == Approx(0.5 / 6));
    CHECK(report.to == Seconds{6.0});
}

TEST_CASE("metrics: token gaps from strides add up to the requests' decode times") {
    LoadPlan plan;
    plan.kind = "poisson";
    plan.rate = PerSecond(3.0);
    plan.requests = 3000;
    plan.prompt = Distribution::parse_tokens("lognormal:mean=300,cv=1", "test");
    plan.output = Distribution::parse_tokens("geometric:mean=80", "test");
    const AffineTimer timer({.constant = Seconds{0.01},
                             .per_prompt_token = Seconds{1e-4},
                             .per_decode = Seconds{1e-4},
                             .per_context_token = Seconds{1e-7}});
    for (const auto& [name, kind] : schedulers()) {
        if (name == "static-batching") continue;  // decodes on for requests that have all their tokens
        INFO(name);
        const auto source = make_source(plan, "test");
        RequestTable requests;
        SchedulerSettings settings = kind.defaults;
        settings.kv_blocks = 1'000'000;
        Replica replica(requests, timer, kind, settings);
        Metrics metrics(all_of_the_run());
        simulate(*source, requests, replica, &metrics);
        const Report report = metrics.report();
        const MeasureSummary& itl = report[Measure::itl];
        REQUIRE(report.finished + report.unanswered.all() == 3000);
        REQUIRE(report.preemptions == 0);
        // Each output token but the first ends one gap, and a request's gaps sum to e2e - ttft.
        CHECK(itl.count == report.output_tokens - report.finished);
        const double decode = report[Measure::e2e].mean.value - report[Measure::ttft].mean.value;
        CHECK(itl.mean.value * static_cast<double>(itl.count) ==
              Approx(decode * static_cast<double>(report.finished)).epsilon(1e-9));
    }
}

TEST_CASE("metrics: requests that come from another replica bring no idle time into the gaps") {
    Metrics metrics(all_of_the_run());
    Stride stride{.start = Seconds{0.0}, .end = Seconds{2.0}};
    stride.steps = 2;
    stride.decodes = 1;
    stride.piece.first = Seconds{1.0};
    metrics.stride(stride);
    Request request;
    request.arrival = request.scheduled = request.first_token = Seconds{0.0};
    request.finished = Seconds{2.0};
    request.prompt = 1;
    request.output = 3;
    metrics.finished(request);
    stride.start = Seconds{50.0};
    stride.end = Seconds{52.0};
    stride.decodes = 3;
    metrics.stride(stride);
    const Report report = metrics.report();
    CHECK(report[Measure::itl].count == 8);
    CHECK(report[Measure::itl].most == Approx(1.0).epsilon(0.001));
}

TEST_CASE("metrics: a closed loop obeys Little's law") {
    LoadPlan plan;
    plan.kind = "closed";
    plan.users = 40;
    plan.think_time = Distribution::parse_seconds("exponential:mean=2s", "test");
    plan.prompt = Distribution::fixed(50);
    plan.output = Distribution::parse_tokens("geometric:mean=20", "test");
    const AffineTimer timer({.constant = Seconds{0.02}, .per_prompt_token = Seconds{1e-4}});
    Metrics metrics;
    run(plan, timer, metrics, 64, {.requests = 100'000});
    const Report report = metrics.report();
    CHECK_FALSE(report.unsettled);
    const double cycle = report[Measure::e2e].mean.value + 2.0;
    CHECK(report.request_rate.value * cycle == Approx(40.0).epsilon(0.01));
    CHECK(report.request_rate.half_width / report.request_rate.value < 0.02);
    CHECK(report.in_system_mean + 2.0 * report.request_rate.value == Approx(40.0).epsilon(0.01));
}

TEST_CASE("metrics: percentiles are exact while few and within 0.1 % when many") {
    RandomStream stream(4, "values");
    Metrics metrics(all_of_the_run());
    std::vector<double> values;
    for (int i = 1; i <= 40'000; ++i) {
        values.push_back(stream.exponential());
        finish(metrics, i, values.back());
        if (i != 1000 && i != 40'000) continue;
        const MeasureSummary ttft = metrics.report()[Measure::ttft];
        CHECK(ttft.exact == (i == 1000));
        for (std::size_t q = 0; q < reported_quantiles.size(); ++q) {
            const double exact = exact_quantile(values, reported_quantiles[q]);
            CHECK(ttft.percentiles[q].value == Approx(exact).epsilon(i == 1000 ? 1e-9 : 0.0012));
            CHECK(ttft.percentiles[q].ci95.low <= exact);
            CHECK(ttft.percentiles[q].ci95.high >= exact);
            CHECK_FALSE(ttft.percentiles[q].few);
        }
    }
}

TEST_CASE("metrics: intervals cover what they should on a correlated process") {
    // A Gaussian autoregression around 10 with deviation 1 and correlation 0.8; its 90 % point is 10 + 1.2816.
    constexpr int runs = 150;
    int mean_covered = 0, tail_covered = 0;
    for (std::uint64_t seed = 0; seed < runs; ++seed) {
        RandomStream stream(seed, "process");
        Metrics metrics(all_of_the_run());
        double state = 0.0;
        for (int i = 0; i < 12'000; ++i) {
            // Box and Muller.
            const double normal =
                std::sqrt(2.0 * stream.exponential()) * std::cos(2.0 * std::acos(-1.0) * stream.uniform());
            state = i == 0 ? normal : 0.8 * state + 0.6 * normal;
            finish(metrics, i, 10.0 + state);
        }
        const MeasureSummary ttft = metrics.report()[Measure::ttft];
        mean_covered += std::abs(ttft.mean.value - 10.0) <= ttft.mean.half_width ? 1 : 0;
        tail_covered += ttft.percentiles[1].ci95.low <= 11.2816 && ttft.percentiles[1].ci95.high >= 11.2816 ? 1 : 0;
    }
    // 142 expected of 150; a binomial's deviation is 2.7. Intervals that are far too wide would cover all of them.
    CHECK(mean_covered >= 133);
    CHECK(tail_covered >= 133);
    CHECK(mean_covered + tail_covered < 2 * runs);
}

TEST_CASE("metrics: a transient is left out, and a run that never settles is said to") {
    RandomStream stream(5, "noise");
    Metrics with_transient, steady, rising;
    for (int i = 0; i < 16'000; ++i) {
        const double noise = stream.exponential();
        finish(with_transient, i, noise + (i < 1500 ? 20.0 : 0.0));
        finish(steady, i, noise);
        finish(rising, i, noise + 0.01 * i);
    }
    const Report cut = with_transient.report();
    CHECK(cut.warm_up_requests >= 1500);
    CHECK(cut.warm_up_requests <= 2100);
    CHECK_FALSE(cut.unsettled);
    CHECK(cut.finished == 16'000 - cut.warm_up_requests);
    CHECK(cut[Measure::ttft].count == cut.finished);
    CHECK(cut[Measure::ttft].mean.value == Approx(1.0).epsilon(0.03));
    CHECK(cut[Measure::ttft].percentiles[3].value == Approx(std::log(100.0)).epsilon(0.08));
    CHECK(cut.from.value() == Approx(static_cast<double>(cut.warm_up_requests)).margin(30.0));
    CHECK_FALSE(steady.report().unsettled);
    CHECK(rising.report().unsettled);

    MetricsSettings fixed;
    fixed.warm_up = WarmUp::fixed;
    fixed.warm_up_requests = 1500;
    Metrics skipping(fixed);
    for (int i = 0; i < 3000; ++i) finish(skipping, i, i < 1500 ? 20.0 : 1.0);
    CHECK(skipping.report().finished == 1500);
    CHECK(skipping.report()[Measure::ttft].most == Approx(1.0));
    // From the end of request 1499 (1499 + 20 + 1) to that of request 2999 (2999 + 1 + 1).
    CHECK(skipping.report().request_rate.value == Approx(1500.0 / (3001.0 - 1520.0)));
}

TEST_CASE("metrics: goodput asks each request for all limits of its class") {
    MetricsSettings settings = all_of_the_run();
    settings.promises.resize(2);
    settings.promises[0].terms = {{Metric::ttft, Statistic::p95, Seconds{2.0}},
                                  {Metric::tpot, Statistic::mean, Seconds{1.0}}};
    Metrics metrics(settings);
    finish(metrics, 0, 1.0, 2.0);     // TPOT 2 / 2: on the limit
    finish(metrics, 0, 1.0, 3.0);     // TPOT too long
    finish(metrics, 0, 3.0, 1.0);     // TTFT too long
    finish(metrics, 0, 3.0, 7.0, 1);  // promised nothing
    Request refused;
    refused.tag = RequestTag{.load_class = 1}.packed();
    refused.finished = Seconds(9.0);
    refused.outcome = Request::Outcome::refused;
    metrics.unanswered(refused);
    const Report report = metrics.report();
    CHECK(report.goodput.value == Approx(2.0 / 10.0));
    CHECK(report.error_rate.value == Approx(1.0 / 5.0));
    REQUIRE(report.classes.size() == 2);
    CHECK(report.classes[0].good == 1);
    CHECK(report.classes[0].finished == 3);
    CHECK(report.classes[0].latencies[Metric::ttft][Statistic::mean].value() == Approx(5.0 / 3));
    CHECK(report.classes[1].unanswered.refused == 1);
    CHECK(report.classes[1].latencies[Metric::e2e][Statistic::p50].value() == Approx(10.0).epsilon(0.001));
    // TTFT p95 is 3 of 2; the mean TPOT (1 + 1.5 + 0.5 + 3.5) / 4 of 1.
    CHECK(report.latencies().worst_ratio(settings.promises[0]) == Approx(1.625));
}

TEST_CASE("metrics: refused, timed out and lost requests are told apart, and all of them are errors") {
    Metrics metrics(all_of_the_run());
    for (int i = 0; i < 4; ++i) finish(metrics, 0, 1.0, 1.0);
    Request request;
    request.finished = Seconds(8.0);
    using Outcome = Request::Outcome;
    for (const Outcome outcome :
         {Outcome::refused, Outcome::timed_out, Outcome::timed_out, Outcome::timed_out, Outcome::lost, Outcome::lost}) {
        request.outcome = outcome;
        metrics.unanswered(request);
    }
    const Report report = metrics.report();
    CHECK(report.finished == 4);
    CHECK(report.unanswered.refused == 1);
    CHECK(report.unanswered.timed_out == 3);
    CHECK(report.unanswered.lost == 2);
    CHECK(report.error_rate.value == Approx(6.0 / 10.0));
    CHECK(report.to == Seconds(8.0));
}

TEST_CASE("metrics: nothing is allocated in the loop, and the memory can be used again") {
    LoadPlan plan;
    plan.rate = PerSecond(20.0);
    plan.requests = 60'000;
    plan.prompt = Distribution::parse_tokens("lognormal:mean=100,cv=1", "test");
    plan.output = Distribution::parse_tokens("geometric:mean=10", "test");
    const AffineTimer timer({.constant = Seconds{0.01}, .per_prompt_token = Seconds{1e-5}});
    /// Looks at the count between the first third and the end.
    class Watch final : public Observer {
      public:
        explicit Watch(Metrics& metrics) : metrics_(metrics) {}
        void stride(const Stride& stride) override { metrics_.stride(stride); }
        void finished(const Request& request) override {
            metrics_.finished(request);
            if (++count == 20'000) first = allocations();
            last = allocations();
        }
        std::uint64_t count = 0, first = 0, last = 0;

      private:
        Metrics& metrics_;
    };
    Metrics metrics;
    Watch watch(metrics);
    run(plan, timer, watch);
    CHECK(watch.count == 60'000);
    CHECK(watch.last == watch.first);

    const Report once = metrics.report();
    metrics.clear();
    run(plan, timer, metrics);
    const Report again = metrics.report();
    CHECK(again[Measure::ttft].percentiles[3].value == once[Measure::ttft].percentiles[3].value);
    CHECK(again[Measure::itl].mean.half_width == once[Measure::itl].mean.half_width);
    CHECK(again.kv_blocks_mean == once.kv_blocks_mean);
}

TEST_CASE("metrics: replications are the same whatever the number of threads") {
    const AffineTimer timer({.constant = Seconds{0.01}, .per_prompt_token = Seconds{1e-5}});
    const auto reports = [&](std::uint32_t threads) {
        return replicate(6, threads, [&](std::uint32_t index) {
            LoadPlan plan;
            plan.seed = replication_seed(1, index);
            plan.rate = PerSecond(10.0);
            plan.requests = 2000;
            plan.output = Distribution::parse_tokens("geometric:mean=10", "test");
            Metrics metrics;
            run(plan, timer, metrics);
            return metrics.report();
        });
    };
    const auto p99 = [](const Report& report) { return report[Measure::e2e].percentiles[3].value; };
    const std::vector<Report> one = reports(1), four = reports(4);
    for (std::size_t i = 0; i < one.size(); ++i) {
        CHECK(p99(one[i]) == p99(four[i]));
        CHECK(one[i].kv_blocks_mean == four[i].kv_blocks_mean);
        CHECK((i == 0 || p99(one[i]) != p99(one[0])));
    }
    const Estimate estimate = over_replications(one, p99);
    CHECK(estimate.half_width > 0);
    CHECK(estimate.half_width < 0.2 * estimate.value);
    CHECK(difference_of(one, four, p99).value == 0.0);
    CHECK(difference_of(one, four, p99).half_width == 0.0);
}

TEST_CASE("metrics: a failure in a replication is thrown, the first one's") {
    std::vector<int> ran(8);
    CHECK_THROWS_WITH(in_parallel(8, 3,
                                  [&](std::uint32_t index) {
                                      ran[index] = 1;
                                      if (index >= 2) throw std::runtime_error("run " + std::to_string(index));
                                  }),
                      "run 2");
    CHECK(ran == std::vector<int>(8, 1));
}
