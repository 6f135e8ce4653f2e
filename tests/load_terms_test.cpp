#include <cmath>

#include "scenarios/reader.hpp"
#include "simulator/load_plan.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

/// A scenario with that load, lengths of 100 and 50 tokens, and more fields where given.
Scenario with_load(const std::string& load, const std::string& more = "", SimulationTerms* terms = nullptr) {
    const std::string text = R"({"schema": "plimsoll/scenario/1", "name": "x", "models": "llama-13b",
        "nodes": "a100-40gb-sxm-8", "engines": "vllm-v1", "prompt_tokens": 100, "output_tokens": 50, "load": )" +
                             load + R"(, "slo": {"ttft_mean": "3 s"})" + more + "}";
    return parse_scenario(text, "x.json", {}, plimsoll::testing::library(), terms);
}

LoadPlan plan_of(const Scenario& scenario) {
    return load_plan(scenario.load, scenario.sent, 1, scenario.slo);
}

}  // namespace

TEST_CASE("a session's requests grow by all that was said before, and that is what a plan is for") {
    const Scenario scenario =
        with_load(R"({"users": 10, "sessions": {"turns": 3, "shared_prefix": 10}, "think_time": "2 s"})");
    // Prompts of 10 + 100, 10 + 150 + 100 and 10 + 300 + 100 tokens, equally often.
    CHECK(scenario.workload.prompt.mean() == Approx(260).epsilon(1e-12));
    CHECK(scenario.workload.prompt.second_moment() == Approx((110. * 110 + 260 * 260 + 410 * 410) / 3).epsilon(1e-3));
    CHECK(scenario.workload.output.mean() == 50);
    CHECK(scenario.sent.prompt.mean() == 100);
    const LoadPlan plan = plan_of(scenario);
    CHECK(plan.kind == "sessions");
    CHECK(plan.users == 10);
    CHECK(plan.session.system_prompt == 10);
    CHECK(plan.prompt.mean() == 100);
    // A third turn would have 410 + 50 tokens.
    const Scenario cut = with_load(
        R"({"users": 10, "sessions": {"turns": 3, "shared_prefix": 10, "max_context": 450}, "think_time": "2 s"})");
    CHECK(cut.workload.prompt.mean() == Approx((110 + 260) / 2.0).epsilon(1e-12));
}

TEST_CASE("a rate counts requests, with sessions too") {
    const LoadPlan plan =
        plan_of(with_load(R"({"rate": "8 /s", "sessions": {"turns": 4}, "think_time": "5 s", "peak_factor": 2})"));
    CHECK(plan.kind == "sessions");
    CHECK(plan.rate.value() == 4.0);
    CHECK(plan.think_time.mean() == Approx(5.0));
}

TEST_CASE("a plain think time is a mean for people, and a constant for a benchmark") {
    const auto law = [](const std::string& load) { return with_load(load).load.think_time; };
    // Half of an exponential law lies below ln 2 of its mean.
    CHECK(law(R"({"users": 9, "think_time": "10 s"})").quantile(0.5) == Approx(6.931).epsilon(0.01));
    CHECK(law(R"({"users": 9, "think_time": "fixed:10s"})").cv2() == 0.0);
    CHECK(law(R"({"users": 9, "protocol": "shared-queue", "think_time": "10 s"})").cv2() == 0.0);
    CHECK(law(R"({"users": 9, "think_time": "0 s"})").mean() == 0.0);
    CHECK(law(R"({"users": 9, "think_time": "uniform:min=1s,max=3s"})").quantile(1.0) == Approx(3.0).epsilon(0.01));
}

TEST_CASE("classes are pooled by their shares for a plan, and sent side by side") {
    const Scenario scenario = with_load(R"({"rate": "8 /s", "classes": [
        {"name": "a", "share": 0.75}, {"name": "b", "share": 0.25, "prompt_tokens": 500, "slo": {"e2e_mean": "9 s"}}]})");
    CHECK(scenario.workload.prompt.mean() == Approx(200).epsilon(1e-12));
    CHECK(scenario.workload.prompt.second_moment() == Approx(0.75 * 1e4 + 0.25 * 25e4).epsilon(1e-12));
    const LoadPlan plan = plan_of(scenario);
    CHECK(plan.kind == "mixture");
    REQUIRE(plan.classes.size() == 2);
    CHECK(plan.classes[0].rate.value() == 6.0);
    CHECK(plan.classes[1].rate.value() == 2.0);
    CHECK(plan.classes[0].slo.terms[0].metric == Metric::ttft);
    CHECK(plan.classes[1].slo.terms[0].metric == Metric::e2e);
    // Users are whole: of seven a class of three quarters has 5.25, the other 1.75.
    const Scenario users = with_load(R"({"users": 7, "classes": [
        {"name": "a", "share": 0.75}, {"name": "b", "share": 0.25}]})");
    CHECK(plan_of(users).classes[0].users == 5);
    CHECK(plan_of(users).classes[1].users == 2);
}

TEST_CASE("a pooled law has the moments of its parts") {
    const Distribution narrow = Distribution::uniform(100, 200), wide = Distribution::uniform(0, 1000);
    const Distribution both = Distribution::pooled({{1.0, narrow}, {3.0, wide}});
    CHECK(both.mean() == Approx((narrow.mean() + 3 * wide.mean()) / 4).epsilon(1e-12));
    CHECK(both.second_moment() == Approx((narrow.second_moment() + 3 * wide.second_moment()) / 4).epsilon(1e-4));
    CHECK(Distribution::pooled({{0.5, wide}, {0.5, wide}}).points().back() == Approx(wide.points().back()));
    CHECK(narrow.shifted(50).mean() == Approx(200).epsilon(1e-12));
    CHECK(narrow.shifted(50).points().front() == Approx(narrow.points().front() + 50));
}

TEST_CASE("a plan is for the highest rate of a curve") {
    CHECK(with_load(R"({"rate": "8 /s", "diurnal": {"peak": 1.5}})").load.peak_rate().value() == Approx(12));
    // Factors 1, 2, 3 have the mean 2.
    const Scenario factors = with_load(R"({"rate": "8 /s", "diurnal": {"period": "1 h", "factors": [1, 2, 3]}})");
    CHECK(factors.load.peak_rate().value() == Approx(12));
    CHECK(plan_of(factors).rate.value() == 8.0);
    CHECK(factors.left_out ==
          std::vector<std::string>{
              "the course of the rate (diurnal): the plan is for its highest, 12 /s, as if it lasted"});
    const Scenario spikes =
        with_load(R"({"rate": "8 /s", "spikes": {"period": "1 h", "length": "1 min", "factor": 5}})");
    CHECK(spikes.load.peak_rate().value() == Approx(40));
    CHECK(plan_of(spikes).kind == "spikes");
}

TEST_CASE("the documents' queue has 250 requests, or two a user, on however many instances") {
    const Scenario many = with_load(R"({"users": 10000, "protocol": "shared-queue"})");
    CHECK(many.load.think_time.mean() == Approx(2.0));
    CHECK(many.load.drain->ramp == Seconds(1.0));
    const auto queue = [&](double part) { return load_plan(many.load.part(part), many.sent, 1).requests; };
    CHECK(queue(0.004) == 250);
    CHECK(queue(0.02) == 400);
    CHECK(load_plan(many.load.part(0.004), many.sent, 1).stratified);
    const Scenario own = with_load(R"({"users": 100, "drain": {"requests": 500, "ramp": "5 s"}})");
    CHECK(plan_of(own).requests == 500);
    CHECK(own.load.think_time.mean() == 0.0);
    const Scenario each = with_load(R"({"users": 100, "protocol": "one-each", "drain": {"ramp": "5 s"}})");
    CHECK(plan_of(each).kind == "one-each");
    CHECK(plan_of(each).requests == 100);
    CHECK(plan_of(each).ramp == Seconds(5.0));
}

TEST_CASE("the section on simulation is read with names resolved") {
    SimulationTerms terms;
    const Scenario scenario = with_load(R"({"rate": "8 /s"})", R"(, "simulation": {
        "pools": [{"replicas": 2}, {"replicas": 1, "node": "a100-80gb-sxm-8", "weights": "fp16", "tensor_parallel": 2}],
        "router": "least-kv", "most_outstanding": 99, "start_up": "2 min", "absent": [2],
        "engine": {"scheduler": "sglang", "chunk_tokens": 512},
        "failures": {"mean_up": "7 d", "mean_down": "10 min", "seed": 5},
        "events": [{"time": "10 s", "replica": 2, "kind": "start"}, {"time": "20 s", "replica": 5, "kind": "drain"}],
        "lost_requests": "resubmit",
        "clients": {"patience": "30 s", "waits": "answer", "cancels": false, "retries": 2, "retry_delay": "3 s"},
        "disaggregation": {"decode": {"replicas": 3}, "link": "infiniband-hdr", "links": 2, "link_of": "decode",
                           "router": "random", "most_held_tokens": 1000}})",
                                        &terms);
    CHECK(terms.front() == 3);
    CHECK(terms.all() == 6);
    CHECK(terms.pools[1].gpu->name == "a100-80gb-sxm");
    CHECK(terms.router == "least-kv");
    CHECK(terms.conditions.most_outstanding == 99);
    CHECK(terms.conditions.failures.mean_up == Seconds(7 * 86400.0));
    CHECK(terms.conditions.failures.seed == 5);
    CHECK(terms.conditions.changes[0].kind == ReplicaChange::Kind::start);
    CHECK(terms.conditions.changes[1].replica == 5);
    CHECK(terms.conditions.clients.waits == ClientRules::Waits::for_answer);
    CHECK_FALSE(terms.conditions.clients.cancels);
    CHECK(terms.conditions.clients.retry_delay == Seconds(3.0));
    CHECK(terms.engine.chunk_tokens == 512U);
    REQUIRE(terms.split);
    // Two adapters of 23.5 GB/s.
    CHECK(terms.split->bandwidth.value() == Approx(47e9));
    CHECK(terms.split->link == Disaggregation::Link::of_decode_replica);
    CHECK(terms.whole());
    CHECK(scenario.left_out.size() == 5);
    // What is read reads back as the same.
    CHECK(parse_scenario(scenario.resolved_json, "again", {}, plimsoll::testing::library()).resolved_json ==
          scenario.resolved_json);
}

TEST_CASE("every new field can be set by its path") {
    const auto set = [](const std::string& path, const std::string& value) {
        return Override{path, value, "--set " + path + "=" + value};
    };
    SimulationTerms terms;
    const Scenario scenario =
        make_scenario("options",
                      {set("models", "llama-13b"), set("nodes", "a100-40gb-sxm-8"), set("engines", "vllm-v1"),
                       set("workload", "chat"), set("slo.ttft_mean", "3s"), set("load.rate", "5/s"),
                       set("load.classes", R"([{"name": "a", "share": 1}])"), set("load.classes.0.sessions.turns", "3"),
                       set("simulation.failures.mean_up", "1h"), set("simulation.disaggregation.decode.replicas", "2"),
                       set("simulation.disaggregation.link.bandwidth", "1GB/s"),
                       set("simulation.disaggregation.link.latency", "1us")},
                      plimsoll::testing::library(), &terms);
    CHECK(scenario.load.classes.at(0).sessions->turns.mean() == 3.0);
    CHECK(terms.conditions.failures.mean_up == Seconds(3600.0));
    CHECK(terms.split->decode.replicas == 2);
    CHECK_THROWS_WITH(make_scenario("options", {set("simulation.pool", "1")}, plimsoll::testing::library()),
                      ContainsSubstring("the field 'models' is missing"));
}
