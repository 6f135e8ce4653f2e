// What a request passes outside the engine's steps, in the simulator and in the forecast.
#include <cmath>
#include <vector>

#include "model/capacity/forecaster.hpp"
#include "simulator/simulator.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

/// Llama-3-8B on one A100 under an engine with that front end and no other times of the host.
struct Served {
    explicit Served(double front_end_s) : engine(testing::library().engines.at("vllm-v1", "test")) {
        engine.host.front_end.value = Seconds(front_end_s);
        deployment = testing::deployment("llama-3-8b", "a100-80gb-sxm-8", 1, 1, "vllm-v1");
        deployment.engine = &engine;
        workload.prompt = Distribution::fixed(500.0);
        workload.output = Distribution::fixed(100.0);
    }
    Engine engine;
    Deployment deployment;
    Workload workload;
};

struct Seen final : Observer {
    std::vector<Request> requests;
    void finished(const Request& request) override { requests.push_back(request); }
};

std::vector<Request> simulated(const Served& served, std::uint32_t users, std::uint64_t requests, Seconds ramp = {}) {
    const Instance instance(served.deployment, &served.workload);
    SimulationSetup setup(instance);
    setup.load.kind = "shared-queue";
    setup.load.users = users;
    setup.load.requests = requests;
    setup.load.prompt = served.workload.prompt;
    setup.load.output = served.workload.output;
    setup.load.think_time = Distribution::fixed(0.0);
    setup.load.ramp = ramp;
    Seen seen;
    run_watched(setup, seen);
    return seen.requests;
}

}  // namespace

TEST_CASE("A client waits for the front end with its first token, its last and its next request") {
    const Served without(0.0), with(0.02);
    const std::vector<Request> bare = simulated(without, 1, 5), behind = simulated(with, 1, 5);
    REQUIRE(bare.size() == 5);
    REQUIRE(behind.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) {
        const double delay = 0.02;  // each request is alone, so the engine does the same for it
        CHECK((behind[i].first_token - behind[i].arrival).value() ==
              Approx((bare[i].first_token - bare[i].arrival).value() + delay));
        CHECK((behind[i].finished - behind[i].arrival).value() ==
              Approx((bare[i].finished - bare[i].arrival).value() + delay));
        // Without a think time a request is sent when the answer before it is there: i + 1 cycles, each longer by it.
        CHECK(behind[i].finished.value() == Approx(bare[i].finished.value() + delay * static_cast<double>(i + 1)));
    }
}

TEST_CASE("A user who comes back while others decode waits for the end of their step") {
    // Two users, one half a second after the other, so that each comes back while the other decodes alone. Without a
    // front end the next prompt is there when the step of the last token ends, and begins with the next one. With 5 ms,
    // less than a decode step, that step runs meanwhile, and the prompt begins when it has ended.
    const Seconds apart(1.0);
    const std::vector<Request> bare = simulated(Served(0.0), 2, 20, apart),
                               behind = simulated(Served(0.005), 2, 20, apart);
    const Served served(0.005);
    const Instance instance(served.deployment, &served.workload);
    const double shortest = instance.cost().decode(1, 500).value(), longest = instance.cost().decode(1, 600).value();
    REQUIRE(shortest > 0.005);
    // The first of each user finds nobody, the last two of all end alone.
    for (std::size_t i = 2; i < 18; ++i) {
        CHECK(bare[i].scheduled == bare[i].arrival);
        const double waited = (behind[i].scheduled - behind[i].arrival).value();
        CHECK(waited >= shortest);
        CHECK(waited <= longest);
    }
}

TEST_CASE("A forecast adds the front end to TTFT and E2E, and to the time between two requests") {
    const Served without(0.0), with(0.03);
    const Instance bare(without.deployment, &without.workload), behind(with.deployment, &with.workload);
    const InstanceModel bare_model(bare.cost(), bare.deployment(), bare.memory(), without.workload),
        behind_model(behind.cost(), behind.deployment(), behind.memory(), with.workload);
    Forecaster a(bare_model), b(behind_model);
    // Users who think for 2 s and then wait 0.03 s for the front end are, for the engine, users who think for 2.03 s.
    const Forecast same = a.closed(20, Seconds(2.03), Detail::percentiles),
                   seen = b.closed(20, Seconds(2.0), Detail::percentiles);
    CHECK(seen.request_rate.value() == Approx(same.request_rate.value()));
    CHECK(seen.running == Approx(same.running));
    for (const Statistic s : {Statistic::mean, Statistic::p50, Statistic::p99}) {
        CHECK(seen.latencies[Metric::ttft][s].value() == Approx(same.latencies[Metric::ttft][s].value() + 0.03));
        CHECK(seen.latencies[Metric::tpot][s].value() == Approx(same.latencies[Metric::tpot][s].value()));
        CHECK(seen.latencies[Metric::e2e][s].value() == Approx(same.latencies[Metric::e2e][s].value() + 0.03));
    }
    // Little's law over the whole cycle of a user.
    const double cycle = 2.0 + seen.latencies[Metric::e2e][Statistic::mean].value();
    CHECK(seen.request_rate.value() * cycle == Approx(20.0));
    const Forecast open = a.open(PerSecond(3.0), Detail::means), open_behind = b.open(PerSecond(3.0), Detail::means);
    CHECK(open_behind.latencies[Metric::ttft][Statistic::mean].value() ==
          Approx(open.latencies[Metric::ttft][Statistic::mean].value() + 0.03));
}

TEST_CASE("Users who come back within a moment leave a finite forecast") {
    // All come back within a small part of a step: fewer and fewer think at the end of a bin of the wave's fluid.
    const Served served(0.003);
    const Instance instance(served.deployment, &served.workload);
    const InstanceModel model(instance.cost(), instance.deployment(), instance.memory(), served.workload);
    Forecaster forecaster(model);
    for (const std::size_t users : {8U, 64U, 128U, 400U}) {
        const Forecast forecast = forecaster.closed(users, Seconds(0.0), Detail::percentiles);
        CHECK(forecast.latencies[Metric::ttft][Statistic::p99].finite());
        CHECK(forecast.latencies[Metric::ttft][Statistic::mean].value() > 0.003);
    }
}

TEST_CASE("Users who never think and begin together stay together, in the run and in the forecast") {
    const Served served(0.005);
    const Instance instance(served.deployment, &served.workload);
    const InstanceModel model(instance.cost(), instance.deployment(), instance.memory(), served.workload);
    Forecaster forecaster(model);
    for (const std::uint32_t users : {8U, 16U, 32U}) {
        double ttft = 0, e2e = 0;
        const std::vector<Request> run = simulated(served, users, 40 * std::uint64_t{users});
        for (const Request& request : run) {
            ttft += (request.first_token - request.arrival).value() / static_cast<double>(run.size());
            e2e += (request.finished - request.arrival).value() / static_cast<double>(run.size());
        }
        CAPTURE(users, ttft);
        // Each waits for the prompts of others beside its own.
        CHECK(ttft > 2.0 * model.lone_prefill(500).value());
        const Forecast forecast = forecaster.closed(users, Seconds(0), Detail::means);
        CHECK(std::abs(forecast.latencies[Metric::ttft][Statistic::mean].value() / ttft - 1.0) < 0.25);
        CHECK(std::abs(forecast.latencies[Metric::e2e][Statistic::mean].value() / e2e - 1.0) < 0.05);
    }
}
