// Pools of a simulated cluster: what each takes from the chosen deployment, and what from its own node.
#include "scenarios/simulated_cluster.hpp"

#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

Deployment chosen_on(const std::string& node) {
    Deployment chosen = testing::deployment("llama-3.1-8b", node, 1, 1, "vllm-v1");
    chosen.engine = &testing::library().engine_on(*chosen.engine, *chosen.gpu);
    chosen.max_sequences = chosen.engine->max_sequences;
    return chosen;
}

SimulationTerms decoding_on(const std::string& node) {
    SimulationTerms terms;
    PoolTerms& pool = terms.split.emplace().decode;
    pool.node = &testing::library().nodes.at(node, "test");
    pool.gpu = &testing::library().gpus.at(pool.node->gpu, "test");
    pool.efficiency = &testing::library().classes.at(pool.gpu->efficiency_class, "test");
    terms.split->router = "round-robin";
    terms.split->bandwidth = BytesPerSecond(25e9);
    return terms;
}

}  // namespace

TEST_CASE("A pool has the limits that the engine takes on the pool's own GPU") {
    // vLLM V1: 8192 tokens and 1024 sequences from 70 GiB on, but not on A100; 2048 and 256 otherwise.
    const auto limits = [](const char* front, const char* back) {
        const SimulatedCluster cluster = simulated_cluster(chosen_on(front), decoding_on(back), nullptr);
        const auto& decode = cluster.setup.conditions.disaggregation->decode.front().settings;
        return std::array{cluster.setup.settings.max_step_tokens, cluster.setup.settings.max_sequences,
                          decode.max_step_tokens, decode.max_sequences};
    };
    CHECK(limits("h100-80gb-sxm-8", "a100-80gb-sxm-8") == std::array{8192U, 1024U, 2048U, 256U});
    CHECK(limits("a100-80gb-sxm-8", "h100-80gb-sxm-8") == std::array{2048U, 256U, 8192U, 1024U});
}

TEST_CASE("A pool that names an engine has its limits on the pool's GPU") {
    SimulationTerms terms = decoding_on("h100-80gb-sxm-8");
    terms.split->decode.engine = &testing::library().engines.at("vllm-v1", "test");
    const SimulatedCluster cluster = simulated_cluster(chosen_on("a100-80gb-sxm-8"), terms, nullptr);
    CHECK(cluster.setup.conditions.disaggregation->decode.front().settings.max_step_tokens == 8192);
}

TEST_CASE("Sequences that were asked for hold in every pool, above the engine's default too") {
    Deployment chosen = chosen_on("a100-80gb-sxm-8");
    chosen.max_sequences = 300;
    const SimulatedCluster cluster = simulated_cluster(chosen, decoding_on("h100-80gb-sxm-8"), nullptr);
    CHECK(cluster.setup.settings.max_sequences == 300);
    CHECK(cluster.setup.conditions.disaggregation->decode.front().settings.max_sequences == 300);
    SimulationTerms terms = decoding_on("h100-80gb-sxm-8");
    terms.split->decode.max_sequences = 2000;
    const SimulatedCluster more = simulated_cluster(chosen, terms, nullptr);
    CHECK(more.setup.conditions.disaggregation->decode.front().settings.max_sequences == 2000);
}
