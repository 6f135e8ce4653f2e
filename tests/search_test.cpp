#include <algorithm>

#include "model/capacity/forecaster.hpp"
#include "tests/catch.hpp"
#include "tests/instance.hpp"

using namespace plimsoll;

namespace {

struct Chat : TestInstance {
    explicit Chat(const std::string& engine_name = "vllm-v1", const std::string& prompt = "lognormal:mean=300,cv=0.7",
                  int tensor_parallel = 1, const std::string& node = "a40-48gb-pcie-8")
        : TestInstance("llama-7b", node, tensor_parallel, engine_name, prompt, "geometric:mean=150") {}
};

Slo slo(Metric metric, Statistic statistic, double seconds) {
    return {{{metric, statistic, Seconds(seconds)}}};
}

Constraint binding_of(TestInstance& one, const Slo& promises, double kv_tokens = 1e9) {
    one.fold();
    one.memory.kv_tokens = std::min(one.memory.kv_tokens, kv_tokens);
    const InstanceModel model = one.model();
    Forecaster forecaster(model);
    return closed_capacity(forecaster, Seconds(2.0), promises, 20000).forecast.binding;
}

}  // namespace

TEST_CASE("The closed capacity is the edge: it holds, and one user more does not") {
    Chat one;
    one.fold();
    const InstanceModel model = one.model();
    Forecaster forecaster(model);
    for (const Slo& promises : {slo(Metric::tpot, Statistic::mean, 0.05), slo(Metric::ttft, Statistic::p95, 0.4),
                                slo(Metric::e2e, Statistic::p90, 20.0)}) {
        const Capacity capacity = closed_capacity(forecaster, Seconds(2.0), promises, 10000);
        CAPTURE(to_text(promises), capacity.users);
        REQUIRE(capacity.users > 1);
        const auto ratio = [&](double users) {
            return forecaster.closed(static_cast<std::size_t>(users), Seconds(2.0), Detail::percentiles)
                .latencies.worst_ratio(promises);
        };
        CHECK(ratio(capacity.users) <= 1.0);
        CHECK(ratio(capacity.users + 1) > 1.0);
        CHECK(capacity.rate == capacity.forecast.request_rate);
    }
}

TEST_CASE("The open capacity is the edge to a thousandth, and below saturation") {
    Chat one;
    one.fold();
    const InstanceModel model = one.model();
    Forecaster forecaster(model);
    const Slo promises = slo(Metric::ttft, Statistic::p95, 0.4);
    const Capacity capacity = open_capacity(forecaster, promises);
    CHECK(forecaster.open(capacity.rate, Detail::percentiles).latencies.worst_ratio(promises) <= 1.0);
    const Forecast above = forecaster.open(capacity.rate * 1.003, Detail::percentiles);
    CHECK((above.overloaded || above.latencies.worst_ratio(promises) > 1.0));
    CHECK(capacity.rate < model.rates().saturated());
}

TEST_CASE("Joint promises carry what the stricter one carries") {
    Chat one;
    one.fold();
    const InstanceModel model = one.model();
    Forecaster forecaster(model);
    const Slo tpot = slo(Metric::tpot, Statistic::mean, 0.06), ttft = slo(Metric::ttft, Statistic::p99, 0.3);
    Slo both = tpot;
    both.terms.push_back(ttft.terms.front());
    const auto users = [&](const Slo& promises) {
        return closed_capacity(forecaster, Seconds(2.0), promises, 10000).users;
    };
    CHECK(users(both) == std::min(users(tpot), users(ttft)));
}

TEST_CASE("No more users than asked for, none where one is too many") {
    Chat one;
    one.fold();
    const InstanceModel model = one.model();
    Forecaster forecaster(model);
    CHECK(closed_capacity(forecaster, Seconds(2.0), slo(Metric::tpot, Statistic::mean, 1.0), 7).users == 7);
    const Capacity none = closed_capacity(forecaster, Seconds(2.0), slo(Metric::tpot, Statistic::mean, 0.001), 7);
    CHECK(none.users == 0);
    CHECK(none.rate.value() == 0);
    CHECK(none.forecast.users == 1);
}

TEST_CASE("The binding constraint of constructed cases") {
    SECTION("a tiny KV cache") {
        Chat one;
        CHECK(binding_of(one, slo(Metric::ttft, Statistic::mean, 3.0), 4000) == Constraint::kv_memory);
    }
    SECTION("a low sequence limit") {
        Chat one;
        one.engine.max_sequences = 4;
        CHECK(binding_of(one, slo(Metric::ttft, Statistic::mean, 3.0)) == Constraint::sequence_limit);
    }
    SECTION("a slow host") {
        Chat one;
        one.engine.host.per_step.value = Seconds(0.08);
        CHECK(binding_of(one, slo(Metric::tpot, Statistic::mean, 0.12)) == Constraint::host);
    }
    SECTION("collectives that take a millisecond each") {
        Chat one("vllm-v1", "100", 8);
        one.engine.collective_overhead.value = Seconds(1e-3);
        CHECK(binding_of(one, slo(Metric::tpot, Statistic::mean, 0.12)) == Constraint::communication);
    }
    SECTION("long prompts, short answers") {
        TestInstance one("llama-7b", "a40-48gb-pcie-8", 1, "vllm-v0", "2000", "20");
        CHECK(binding_of(one, slo(Metric::tpot, Statistic::mean, 0.2)) == Constraint::prefill);
    }
    SECTION("few requests on a small prompt read weights") {
        Chat one("vllm-v1", "10");
        CHECK(binding_of(one, slo(Metric::tpot, Statistic::mean, 0.032)) == Constraint::decode_bandwidth);
    }
}
