// How long it takes to fold a deployment and to price a step.
#include <benchmark/benchmark.h>

#include "model/cost/step_cost.hpp"
#include "model/spec/catalog.hpp"

using namespace plimsoll;

namespace {

/// One deployment of shipped entries with its architecture.
struct Case {
    Catalog catalog{{PLIMSOLL_SOURCE_DIR}};
    Deployment deployment;
    Architecture architecture;

    explicit Case(int tensor) : architecture(catalog.models.at("llama-13b", "benchmark")) {
        deployment.node = &catalog.nodes.at("a100-80gb-sxm-8", "benchmark");
        deployment.gpu = &catalog.gpus.at(deployment.node->gpu, "benchmark");
        deployment.efficiency = &catalog.classes.at(deployment.gpu->efficiency_class, "benchmark");
        deployment.model = &architecture.model();
        deployment.engine = &catalog.engines.at("vllm-v1", "benchmark");
        deployment.tensor_parallel = tensor;
        deployment.max_sequences = deployment.engine->max_sequences;
    }
};

void fold(benchmark::State& state) {
    const Case fixture(static_cast<int>(state.range(0)));
    for (auto _ : state) {
        StepCost cost(fixture.architecture, fixture.deployment);
        benchmark::DoNotOptimize(cost);
    }
}
BENCHMARK(fold)->ArgName("tensor")->Arg(1)->Arg(8)->Unit(benchmark::kMicrosecond);

void decode_step(benchmark::State& state) {
    const Case fixture(4);
    const StepCost cost(fixture.architecture, fixture.deployment);
    double context = 1000;
    for (auto _ : state) {
        benchmark::DoNotOptimize(cost.decode(50, context));
        context = context < 1e6 ? context + 50 : 1000;
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode_step);

void mixed_step(benchmark::State& state) {
    const Case fixture(4);
    const StepCost cost(fixture.architecture, fixture.deployment);
    StepShape shape{.prefill_sequences = 1,
                    .prefill_tokens = 512,
                    .attention_pairs = causal_pairs(512, 0),
                    .decode_sequences = 50,
                    .context_tokens = 1000};
    for (auto _ : state) {
        benchmark::DoNotOptimize(cost.step(shape));
        shape.context_tokens = shape.context_tokens < 1e6 ? shape.context_tokens + 50 : 1000;
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(mixed_step);

void budget(benchmark::State& state) {
    const Case fixture(4);
    for (auto _ : state) benchmark::DoNotOptimize(memory_budget(fixture.architecture, fixture.deployment));
}
BENCHMARK(budget);

}  // namespace
