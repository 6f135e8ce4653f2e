#pragma once
#include <string>

#include "model/spec/scenario.hpp"
#include "tests/instance.hpp"

namespace plimsoll::testing {

/// 500 users of a chat who think 1 to 3 s, promised a mean TPOT of 50 ms and 2 s to the first token of 19 in 20.
inline Scenario chat(const std::string& model = "llama-7b", const std::string& node = "a100-40gb-sxm-8",
                     const std::string& engine = "vllm-v1") {
    Catalog& catalog = TestInstance::catalog();
    Scenario s;
    s.models = {&catalog.models.at(model, "test")};
    s.nodes = {&catalog.nodes.at(node, "test")};
    s.engines = {&catalog.engines.at(engine, "test")};
    s.workload.prompt = Distribution::parse_tokens("lognormal:mean=300,cv=0.7,max=1000", "test");
    s.workload.output = Distribution::parse_tokens("lognormal:mean=200,cv=0.7,max=900", "test");
    s.load.registered_users = 500;
    s.load.think_time = Distribution::uniform(1.0, 3.0);
    s.slo.terms = {{Metric::tpot, Statistic::mean, Seconds(0.05)}, {Metric::ttft, Statistic::p95, Seconds(2.0)}};
    s.cost.amortization = Seconds(3 * 365.25 * 86400);
    return s;
}

}  // namespace plimsoll::testing
