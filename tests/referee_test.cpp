#include "scenarios/referee.hpp"

#include <cmath>

#include "model/capacity/planner.hpp"
#include "tests/catch.hpp"
#include "tests/chat_scenario.hpp"

using namespace plimsoll;

namespace {

Catalog& catalog() {
    return TestInstance::catalog();
}

Scenario chat(const std::string& engine) {
    Scenario s = testing::chat("llama-7b", "a100-40gb-sxm-8", engine);
    s.tensor_parallel = {1};
    s.load.registered_users = 5000;
    s.slo.terms = {{Metric::tpot, Statistic::mean, Seconds(0.04)}, {Metric::ttft, Statistic::mean, Seconds(2.0)}};
    s.profiles.any = false;  // as TestInstance folds its costs
    return s;
}

Plan refereed(const Scenario& scenario, RefereeSettings settings) {
    Plan result = plan(scenario, catalog());
    referee(scenario, settings, result);
    return result;
}

const Simulated& simulated(const Plan& plan) {
    REQUIRE(plan.answers.size() == 1);
    REQUIRE(plan.answers[0].best);
    REQUIRE(plan.answers[0].best->simulated);
    return *plan.answers[0].best->simulated;
}

}  // namespace

TEST_CASE("One user alone is simulated with the times of his lone requests") {
    const std::string engine = GENERATE("vllm-v0", "tgi-lightllm-2023");
    Scenario s = chat(engine);
    s.workload.prompt = Distribution::fixed(300.0);
    s.workload.output = Distribution::fixed(4.0);
    s.load.registered_users = 1;
    TestInstance alone("llama-7b", "a100-40gb-sxm-8", 1, engine, "300", "4");
    alone.fold();
    // The first token comes with the prefill, behind the front end, the others from decode steps that read 301, 302 and
    // 303 tokens.
    const double first = alone.cost->front_end().value() + alone.prefill(1, 300);
    const double rest = alone.decode(1, 301) + alone.decode(1, 302) + alone.decode(1, 303);

    const Simulated one = simulated(refereed(s, {}));
    const auto mean = [&](Metric metric) { return one.latencies[metric][Statistic::mean].value(); };
    CHECK(mean(Metric::ttft) == Approx(first).epsilon(1e-6));
    CHECK(mean(Metric::tpot) == Approx(rest / 3.0).epsilon(1e-6));
    CHECK(mean(Metric::e2e) == Approx(first + rest).epsilon(1e-6));
    CHECK(one.users_per_instance == 1);
    CHECK(one.nodes_needed == 1);
    CHECK(one.gap == 0);
}

TEST_CASE("Forecast and simulation agree on what an instance carries") {
    const std::string engine = GENERATE("vllm-v0", "vllm-v1", "tgi-lightllm-2023", "tgi-3");
    CAPTURE(engine);
    const Plan result = refereed(chat(engine), {});
    const Candidate& best = *result.answers[0].best;
    const Simulated& s = simulated(result);
    CHECK(s.refusal.empty());
    CHECK(std::abs(s.gap) < 0.10);
    CHECK(s.gap == Approx(best.users_per_instance / s.users_per_instance - 1.0));
    CHECK(s.users_interval.low <= s.users_per_instance);
    CHECK(s.users_interval.high >= s.users_per_instance);
    // Eight instances on a node.
    CHECK(s.nodes_needed == std::ceil(5000.0 / (8.0 * s.users_per_instance)));
    CHECK(s.nodes_interval.low <= s.nodes_needed);
    CHECK(s.nodes_interval.high >= s.nodes_needed);
    for (const Metric metric : {Metric::ttft, Metric::tpot, Metric::e2e}) {
        const auto& interval = s.ci95[static_cast<std::size_t>(metric)][0];
        const double mean = s.latencies[metric][Statistic::mean].value();
        CHECK(interval.low < mean);
        CHECK(interval.high > mean);
        CHECK(best.at_load.latencies[metric][Statistic::mean].value() == Approx(mean).epsilon(0.2));
    }
}

TEST_CASE("An open load is refereed by its rate") {
    Scenario s = chat("vllm-v1");
    s.load = {};
    s.load.kind = Load::Kind::open;
    s.load.rate = PerSecond(100.0);
    const Plan result = refereed(s, {});
    const Simulated& one = simulated(result);
    CHECK(one.users_per_instance == 0);
    CHECK(std::abs(one.gap) < 0.10);
    CHECK(one.nodes_needed == std::ceil(100.0 / (8.0 * one.rate_per_instance.value())));
}

TEST_CASE("What the referee says depends on the seed alone, not on the threads") {
    Scenario s = chat("vllm-v0");
    s.tensor_parallel = {1, 2};
    s.nodes.push_back(&catalog().nodes.at("v100-32gb-sxm2-8", "test"));
    s.compare_nodes = true;
    const auto figures = [&](std::uint64_t seed, std::uint32_t threads) {
        std::vector<double> all;
        for (const Answer& answer : refereed(s, {RefereeLevel::fast, seed, threads}).answers) {
            REQUIRE(answer.best);
            const Simulated& one = *answer.best->simulated;
            all.insert(all.end(), {one.users_per_instance, one.users_interval.low, one.users_interval.high,
                                   one.latencies[Metric::ttft][Statistic::p99].value(), one.ci95[2][4].high,
                                   static_cast<double>(one.requests)});
        }
        return all;
    };
    const std::vector<double> one = figures(1, 1);
    CHECK(one == figures(1, 5));
    CHECK(one != figures(2, 1));
}

TEST_CASE("Which candidates are simulated follows from the level") {
    Scenario s = chat("vllm-v1");
    s.tensor_parallel = {1, 2, 8};
    const auto judged = [&](RefereeLevel level) {
        const Plan result = refereed(s, {.level = level});
        int count = result.answers[0].best->simulated ? 1 : 0;
        for (const Candidate& candidate : result.answers[0].runners_up) {
            REQUIRE(candidate.cost);
            const bool near = *candidate.cost <= *result.answers[0].best->cost * 1.2;
            CHECK(candidate.simulated.has_value() == (level == RefereeLevel::full && near));
            count += candidate.simulated ? 1 : 0;
        }
        return count;
    };
    CHECK(judged(RefereeLevel::none) == 0);
    CHECK(judged(RefereeLevel::fast) == 1);
}

TEST_CASE("A candidate that cannot be simulated keeps its forecast and says why") {
    Engine engine = catalog().engines.at("vllm-v1", "test");
    engine.scheduler = "nobody";
    Scenario s = chat("vllm-v1");
    s.engines = {&engine};
    const Plan result = refereed(s, {});
    const Simulated& one = simulated(result);
    CHECK_THAT(one.refusal, ContainsSubstring("unknown scheduler 'nobody'"));
    CHECK(one.requests == 0);
    CHECK(result.answers[0].best->users_per_instance > 0);
}

TEST_CASE("What an engine refuses is no answer in time") {
    // Whole prompts of 300 tokens at the most, where a quarter of the chats begins with more; the plan is not told.
    Engine engine = catalog().engines.at("tensorrt-llm", "test");
    engine.max_input_tokens.reset();
    engine.max_step_tokens = 300;
    engine.max_sequences = 64;
    Scenario s = chat("vllm-v1");
    s.engines = {&engine};
    const Plan result = refereed(s, {});
    CHECK_THAT(simulated(result).refusal, ContainsSubstring("tensorrt-llm refuses") && ContainsSubstring("too long"));
    CHECK(simulated(result).requests == 0);
    engine.max_input_tokens = 300;
    const Plan told = refereed(s, {});
    REQUIRE_FALSE(told.answers[0].best);
}
