#include <cstdio>

#include "model/spec/catalog.hpp"
#include "simulator/simulator.hpp"

using namespace plimsoll;

// One A100 with LLaMA2-7B under vLLM: what users see at rising load. The argument is a directory with the data.
int main(int count, char** values) {
    Catalog catalog({count > 1 ? values[1] : "."});
    const Node& node = catalog.nodes.at("a100-80gb-sxm-8", "example");
    const Gpu& gpu = catalog.gpus.at(node.gpu, "example");
    const Deployment deployment{.node = &node,
                                .gpu = &gpu,
                                .efficiency = &catalog.classes.at(gpu.efficiency_class, "example"),
                                .model = &catalog.models.at("llama-2-7b", "example"),
                                .engine = &catalog.engines.at("vllm-v0", "example"),
                                .max_sequences = 256};
    const Instance instance(deployment);

    SimulationSetup setup(instance);
    setup.load.prompt = Distribution::parse_tokens("lognormal:mean=900,cv=1,max=4096", "example");
    setup.load.output = Distribution::parse_tokens("lognormal:mean=210,cv=1,max=2048", "example");
    setup.limits.requests = 20'000;
    for (const double rate : {1.0, 2.0, 4.0}) {
        setup.load.rate = PerSecond(rate);
        const Report report = simulate(setup).report;
        std::printf("%.0f requests/s: TTFT %.3f s, p95 %.3f s; TPOT %.1f ms\n", rate, report[Measure::ttft].mean.value,
                    report[Measure::ttft].percentiles[2].value, report[Measure::tpot].mean.value * 1e3);
    }
}
