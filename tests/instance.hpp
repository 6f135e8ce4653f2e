#pragma once
#include <optional>
#include <string>

#include "model/capacity/forecaster.hpp"
#include "model/spec/catalog.hpp"

/// One instance of shipped parts for tests: names resolved, costs folded. Its engine is a copy that a test may change
/// before it folds.
struct TestInstance {
    plimsoll::Engine engine;
    plimsoll::Deployment deployment;
    plimsoll::Workload workload;
    plimsoll::MemoryBudget memory;
    std::optional<plimsoll::Architecture> architecture;
    std::optional<plimsoll::StepCost> cost;

    static plimsoll::Catalog& catalog() {
        static plimsoll::Catalog shipped({PLIMSOLL_SOURCE_DIR});
        return shipped;
    }
    TestInstance(const std::string& model, const std::string& node, int tensor_parallel, const std::string& engine_name,
                 const std::string& prompt, const std::string& output) {
        engine = catalog().engines.at(engine_name, "test");
        deployment.node = &catalog().nodes.at(node, "test");
        deployment.gpu = &catalog().gpus.at(deployment.node->gpu, "test");
        deployment.efficiency = &catalog().classes.at(deployment.gpu->efficiency_class, "test");
        deployment.model = &catalog().models.at(model, "test");
        deployment.tensor_parallel = tensor_parallel;
        workload.prompt = plimsoll::Distribution::parse_tokens(prompt, "test");
        workload.output = plimsoll::Distribution::parse_tokens(output, "test");
    }
    TestInstance(const TestInstance&) = delete;
    TestInstance& operator=(const TestInstance&) = delete;

    /// Fixes engine and costs.
    TestInstance& fold() {
        deployment.engine = &engine;
        deployment.max_sequences = engine.max_sequences;
        architecture.emplace(*deployment.model);
        memory = plimsoll::memory_budget(*architecture, deployment);
        cost.emplace(*architecture, deployment);
        return *this;
    }
    [[nodiscard]] plimsoll::InstanceModel model() const { return {*cost, deployment, memory, workload}; }
    [[nodiscard]] double prefill(double prompts, double tokens) const {
        return cost->prefill(prompts, prompts * tokens, prompts * plimsoll::causal_pairs(tokens, 0)).value();
    }
    [[nodiscard]] double decode(double sequences, double context) const {
        return cost->decode(sequences, context).value();
    }
};
