// Users in step: waves of prompts of answers that end together.
#include "model/capacity/bunching.hpp"

#include <cmath>

#include "model/capacity/planner.hpp"
#include "scenarios/referee.hpp"
#include "tests/catch.hpp"
#include "tests/instance.hpp"

using namespace plimsoll;

namespace {

struct Long : TestInstance {
    explicit Long(const std::string& engine_name, const std::string& output = "200")
        : TestInstance("llama-3.1-70b", "h200-141gb-sxm-8", 8, engine_name, "4000", output) {
        fold();
    }
};

}  // namespace

TEST_CASE("In a wave that outlasts the thinking everybody waits for half of it") {
    // All 200 users are back long before the last prompt is prefilled: in the mean a request comes after Z and is
    // prefilled after half of the 200 a, a being half of a prefill of two prompts (8192 tokens take no more).
    const Long one("vllm-v0");
    const InstanceModel model = one.model();
    const Bunching bunching(model);
    REQUIRE(bunching.possible());
    const double each = one.prefill(2, 4000) / 2.0;
    const Bunching::Wave wave = bunching.wave(200, Seconds(2.0), PerSecond(0.9 / each));
    CHECK(wave.wait.value() == Approx(200 * each / 2.0 - 2.0).epsilon(0.03));
    CHECK(wave.stop.value() == Approx(200 * each).epsilon(0.03));
}

TEST_CASE("A few users fall out of step") {
    const Long one("vllm-v0");
    const InstanceModel model = one.model();
    // Ten users who think for 15 s send 2/3 of a request a second at the most, and prompts take a tenth of the time;
    // sixty send three, which take half of it, and swings still die in a few rounds.
    const Bunching bunching(model);
    CHECK(bunching.wave(10, Seconds(15.0), PerSecond(10.0 / 15.0)).amplified == 1.0);
    const Bunching::Wave wave = bunching.wave(60, Seconds(15.0), PerSecond(60.0 / 20.0));
    CHECK(wave.waits.empty());
    CHECK(wave.amplified >= 1.0);
    CHECK(wave.amplified < 1.3);
}

TEST_CASE("Answers of different lengths, steps of less than a prompt and TGI's window keep users out of step") {
    CHECK(Bunching(Long("sglang").model()).possible());
    CHECK_FALSE(Bunching(Long("sglang", "uniform:min=150,max=250").model()).possible());
    CHECK_FALSE(Bunching(Long("sarathi").model()).possible());
    CHECK_FALSE(Bunching(Long("fastertransformer").model()).possible());
    CHECK_FALSE(Bunching(Long("tgi-lightllm-2023").model()).possible());
}

TEST_CASE("Forecast and simulation agree on users in step") {
    // The bound was set before the errors were seen: 20 %, since at the edge of a wave chance decides when it begins.
    struct Question {
        const char *model, *node, *engine, *prompt, *output;
        int tensor_parallel;
        double think, limit;
    };
    for (const Question& q : {Question{"llama-3.1-8b", "a100-80gb-sxm-8", "vllm-v0", "4000", "150", 1, 10.0, 2.0},
                              Question{"llama-3.1-70b", "h100-80gb-sxm-8", "sglang", "3000", "250", 8, 20.0, 1.5},
                              Question{"llama-13b", "a100-80gb-sxm-8", "vllm-v0", "1500", "100", 1, 8.0, 1.5},
                              Question{"qwen2.5-7b", "l40s-48gb-pcie-8", "sglang", "4000", "200", 1, 15.0, 6.0}}) {
        Catalog& catalog = TestInstance::catalog();
        Scenario s;
        s.models = {&catalog.models.at(q.model, "test")};
        s.nodes = {&catalog.nodes.at(q.node, "test")};
        s.engines = {&catalog.engines.at(q.engine, "test")};
        s.tensor_parallel = {q.tensor_parallel};
        s.workload.prompt = Distribution::parse_tokens(q.prompt, "test");
        s.workload.output = Distribution::parse_tokens(q.output, "test");
        s.load.registered_users = 3000;
        s.load.think_time = Distribution::parse_seconds("exponential:mean=1s", "test").with_mean(q.think);
        s.slo.terms = {{Metric::ttft, Statistic::p95, Seconds(q.limit)}};
        s.cost.amortization = Seconds(3 * 365.25 * 86400);
        s.profiles.any = false;
        Plan result = plan(s, catalog);
        referee(s, {}, result);
        CAPTURE(q.model, q.engine, q.prompt, q.output, q.limit);
        REQUIRE(result.answers.at(0).best);
        const Candidate& best = *result.answers[0].best;
        REQUIRE(best.simulated);
        CAPTURE(best.users_per_instance, best.simulated->users_per_instance);
        CHECK(std::abs(best.simulated->gap) < 0.20);
    }
}
