#include "scenarios/replay.hpp"

#include <cmath>

#include "simulator/affine_timer.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"
#include "tests/simulated.hpp"

using namespace plimsoll;
using namespace simulated;

namespace {

ReplayPlan rtx4090() {
    ReplayPlan plan;
    plan.deployment = plimsoll::testing::deployment("llama-3.1-8b", "rtx4090-24gb-pcie-1", 1, 1, "vllm-v1-async");
    plan.deployment.weights = plan.deployment.kv = Dtype::bf16;
    plan.scheduler = "vllm-v1-async";
    return plan;
}

/// First tokens of requests of 10 tokens each when every step takes a second.
std::vector<double> first_tokens(const char* scheduler, const std::vector<double>& arrivals, std::uint32_t output) {
    const AffineTimer timer({.constant = Seconds(1.0)});
    const SchedulerKind& kind = *schedulers().find(scheduler);
    SchedulerSettings settings = kind.defaults;
    settings.kv_blocks = 100;
    RequestTable requests;
    Replica replica(requests, timer, kind, settings);
    std::vector<Arrival> script;
    for (const double time : arrivals) script.push_back({.time = Seconds(time), .prompt = 10, .output = output});
    Script source(script);
    Record record;
    simulate(source, requests, replica, &record);
    std::vector<double> times;
    for (const Request& request : record.requests) times.push_back(request.first_token.value());
    return times;
}

}  // namespace

TEST_CASE("An engine that composes ahead serves who comes during a step after the end of the next one") {
    // The second comes during the first's step from 0 to 1: the synchronous engine takes it into the step from 1 to 2.
    // The other composed that one at 0 already, so it is in the step from 2 to 3.
    CHECK(first_tokens("vllm-v1", {0.0, 0.5}, 5) == std::vector<double>{1.0, 2.0});
    CHECK(first_tokens("vllm-v1-async", {0.0, 0.5}, 5) == std::vector<double>{1.0, 3.0});
    // Nothing is composed ahead once all have ended: the first does at 1 with its only token.
    CHECK(first_tokens("vllm-v1-async", {0.0, 1.5}, 1) == std::vector<double>{1.0, 2.5});
}

TEST_CASE("A replay finds the host's time a step that a recording was made with") {
    // The recording is a run of 60 requests in 3 s with 3 ms of the host a step, in a cache that preempts.
    Recording recording;
    auto trace = std::make_shared<Trace>();
    for (int i = 0; i < 60; ++i) {
        trace->arrival.emplace_back(0.05 * i);
        trace->prompt.push_back(static_cast<std::uint32_t>(200 + 37 * (i % 11)));
        trace->output.push_back(static_cast<std::uint32_t>(100 + 43 * (i % 7)));
    }
    recording.trace = trace;
    recording.first_token = recording.last_token = std::vector<Seconds>(60, Seconds(1e3));
    ReplayPlan plan = rtx4090();
    plan.kv_tokens = 4000;
    Engine engine = *plan.deployment.engine;
    engine.host.per_step.value = Seconds(0.003);
    plan.deployment.engine = &engine;
    const ReplayReport made = replay(recording, plan);
    REQUIRE(made.run.preemptions > 0);
    CHECK(made.host_per_step == Seconds(0.003));
    recording.first_token = made.run.first_token;
    recording.last_token = made.run.last_token;

    plan.deployment.engine = &plimsoll::testing::library().engines.at("vllm-v1-async", "test");
    plan.fitted_on = 20;
    const ReplayReport again = replay(recording, plan);
    CHECK(again.host_per_step.value() == Approx(0.003).epsilon(0.01));
    CHECK(again.ttft.n == 40);
    CHECK(again.e2e.p90 < 0.01);
    CHECK(again.tpot.p90 < 0.01);
    CHECK(std::abs(again.makespan_error) < 0.001);
    CHECK(again.run.preemptions == made.run.preemptions);
}

TEST_CASE("A recording is read with its answers, and one that answers before it is asked is refused") {
    const std::string head = "arrival_s,prompt_tokens,output_tokens,first_token_s,last_token_s\n";
    const Recording recording = read_recording_csv(head + "0,100,5,0.25,1.5\n0.5,7,1,2,2\n", "sample");
    REQUIRE(recording.size() == 2);
    CHECK(recording.trace->prompt[1] == 7);
    CHECK(recording.first_token[0] == Seconds(0.25));
    CHECK(recording.last_token[1] == Seconds(2));
    CHECK_THROWS_AS(read_recording_csv(head + "0,100,5,0.25,1.5\n0.5,7,1,0.4,2\n", "sample"), InputError);
    CHECK_THROWS_AS(read_recording_csv(head + "0,100,5,,1.5\n", "sample"), InputError);
    CHECK_THROWS_AS(read_recording_csv("arrival_s,prompt_tokens,output_tokens\n0,1,1\n", "sample"), InputError);
}

TEST_CASE("An overloaded run of a real engine is reproduced with one constant fitted on its first third") {
    const auto file = plimsoll::testing::measurements("serving/requests_rtx4090_llama31_8b.csv");
    if (!file) {
        WARN("skipped: the recorded run is not here (PLIMSOLL_SHARED)");
        return;
    }
    const Recording recording = read_recording(*file);
    REQUIRE(recording.size() == 300);
    ReplayPlan plan = rtx4090();
    plan.kv_tokens = 41408;  // as the engine reported
    plan.fitted_on = 100;
    const ReplayReport report = replay(recording, plan);
    INFO("host " << report.host_per_step.value() * 1e3 << " ms a step, TTFT " << report.ttft.median << ", E2E "
                 << report.e2e.median << ", TPOT " << report.tpot.median << " / " << report.tpot.p90 << ", makespan "
                 << report.makespan_error << ", preemptions " << report.run.preemptions);
    CHECK(report.ttft.n == 200);
    CHECK(report.ttft.median < 0.02);
    CHECK(report.e2e.median < 0.02);
    CHECK(report.tpot.median < 0.03);
    CHECK(report.tpot.p90 < 0.23);
    CHECK(std::abs(report.makespan_error) < 0.02);
    CHECK(report.host_per_step < Seconds(0.002));
}
