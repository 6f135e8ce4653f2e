// Every engine of the library is planned, and simulated by its own scheduler; the two tell the same.
#include <cmath>

#include "model/capacity/planner.hpp"
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
    // At 10 s FasterTransformer's padded batch of 32 is as good as full: its TTFT hardly rises from 30 to 37 users.
    const Seconds ttft(engine == "fastertransformer" ? 12.0 : 10.0);
    s.slo.terms = {{Metric::e2e, Statistic::mean, Seconds(30.0)}, {Metric::ttft, Statistic::mean, ttft}};
    s.cost.amortization = Seconds(3 * 365.25 * 86400);
    s.profiles.any = false;
    return s;
}

}  // namespace

TEST_CASE("Every engine is planned and simulated, and both say the same") {
    const std::string engine =
        GENERATE("deepspeed-mii", "fastertransformer", "lightllm", "llama-cpp-server", "lmdeploy", "orca", "sarathi",
                 "sglang", "tensorrt-llm", "vllm-0.2", "vllm-v1-async");
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
