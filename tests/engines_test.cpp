// Every engine of the library is planned, and simulated by its own scheduler; the two tell the same.
#include <cmath>

#include "model/capacity/planner.hpp"
#include "model/capacity/static_batch.hpp"
#include "model/cost/memory.hpp"
#include "scenarios/referee.hpp"
#include "tests/catch.hpp"
#include "tests/instance.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

Scenario chat(const std::string& engine) {
    Catalog& catalog = TestInstance::catalog();
    Scenario s;
    s.models = {&catalog.models.at("llama-7b", "test")};
    s.nodes = {&catalog.nodes.at("a100-40gb-sxm-8", "test")};
    s.engines = {&catalog.engines.at(engine, "test")};
    s.tensor_parallel = {1};
    s.workload.prompt = Distribution::parse_tokens("lognormal:mean=300,cv=0.7,max=1000", "test");
    s.workload.output = Distribution::parse_tokens("lognormal:mean=200,cv=0.7,max=900", "test");
    s.load.registered_users = 5000;
    s.load.think_time = Distribution::uniform(1.0, 3.0);
    s.slo.terms = {{Metric::e2e, Statistic::mean, Seconds(30.0)}, {Metric::ttft, Statistic::mean, Seconds(10.0)}};
    s.cost.amortization = Seconds(3 * 365.25 * 86400);
    s.profiles.any = false;
    return s;
}

}  // namespace

TEST_CASE("Every engine is planned and simulated, and both say the same") {
    const std::string engine = GENERATE("fastertransformer", "lightllm", "llama-cpp-server", "lmdeploy", "orca",
                                        "sarathi", "sglang", "tensorrt-llm", "vllm-v1-async");
    CAPTURE(engine);
    const Scenario scenario = chat(engine);
    Plan result = plan(scenario, TestInstance::catalog());
    referee(scenario, {}, result);
    REQUIRE(result.answers.at(0).best);
    const Candidate& best = *result.answers[0].best;
    REQUIRE(best.simulated);
    CHECK(best.simulated->refusal.empty());
    CHECK(best.simulated->refused_share == 0);
    CHECK(best.users_per_instance >= 1);
    CAPTURE(best.users_per_instance, best.simulated->users_per_instance);
    CHECK(std::abs(best.simulated->gap) < 0.10);
}

TEST_CASE("A static batch waits for its longest answer") {
    TestInstance alone("llama-7b", "a100-40gb-sxm-8", 1, "fastertransformer", "300", "50");
    alone.fold();
    Workload workload;
    workload.prompt = Distribution::fixed(300.0);
    workload.output = Distribution::fixed(50.0);
    const StaticBatch batch(*alone.cost, workload, Seconds(HUGE_VAL));
    // One present is alone: no wait, 49 steps after the first token.
    const InstanceState one = batch.at(1.0);
    CHECK(one.admission == Seconds(0));
    CHECK(one.residence.value() == Approx((one.prefill + one.decode_step * 49.0).value()));
    // Of 46 present 31 are in work, and 15 wait half a batch in the mean: 1 + 1.5 x 30.
    const InstanceState many = batch.at(46.0);
    CHECK(many.decoding == Approx(31.0));
    CHECK(batch.present_with(31.0) == Approx(46.0));
    // Users who come back at once wait for the whole batch that goes on without them: 1 + 2 x 30.
    CHECK(StaticBatch(*alone.cost, workload, Seconds(0)).present_with(31.0) == Approx(61.0));
    CHECK(StaticBatch(*alone.cost, workload, Seconds(0)).at(61.0).decoding == Approx(31.0));
    const double whole = (many.prefill + many.decode_step * 49.0).value();
    CHECK(many.residence.value() == Approx(46.0 / 31.0 * whole));
    CHECK(many.rate().value() == Approx(31.0 / whole));
    // With outputs of one length nobody waits for another's answer.
    CHECK(many.own_interval.value() == Approx(many.decode_step.value()));
    CHECK(many.own_variance.value() == Approx(0.0).margin(1e-12));
    // 10 requests of 300 + 50 tokens fill 3,500.
    CHECK(batch.batch_in(3500.0, 0.0, 32.0) == Approx(10.0).epsilon(2e-3));
    CHECK(batch.batch_in(1e9, 0.0, 32.0) == 32.0);
    // Where clients ask for 400, 5 fill them.
    CHECK(batch.batch_in(3500.0, 400.0, 32.0) == Approx(5.0).epsilon(2e-3));
}

TEST_CASE("Admission by the peak of promises holds what is stored and what is promised beyond") {
    Engine engine = testing::library().engines.at("lightllm", "test");
    REQUIRE(engine.reservation == KvReservation::peak);
    Workload workload;
    workload.prompt = Distribution::fixed(300.0);
    workload.output = Distribution::fixed(99.0);
    // In the j-th of 99 steps 300 + j tokens are stored: 350 in the mean.
    CHECK(kv_demand(engine, workload).mean == Approx(350.0));
    engine.reserved_output_tokens = 199;
    CHECK(kv_demand(engine, workload).mean == Approx(450.0));
}
