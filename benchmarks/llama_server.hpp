#pragma once
/// What the simulator's benchmarks serve: Llama-2-7B on one A100-80GB, engine vllm-v0, lognormal prompts of 900 and
/// outputs of 210 tokens (cv 1), promised a mean TTFT of 3.15 s and a mean TPOT of 100 ms.
#include <optional>

#include "model/spec/catalog.hpp"
#include "simulator/capacity_search.hpp"

namespace plimsoll {

class LlamaServer {
  public:
    LlamaServer() {
        deployment_.node = &catalog_.nodes.at("a100-80gb-sxm-8", "benchmark");
        deployment_.gpu = &catalog_.gpus.at(deployment_.node->gpu, "benchmark");
        deployment_.efficiency = &catalog_.classes.at(deployment_.gpu->efficiency_class, "benchmark");
        deployment_.model = &catalog_.models.at("llama-2-7b", "benchmark");
        deployment_.engine = &catalog_.engines.at("vllm-v0", "benchmark");
        deployment_.instances_per_node = 8;
        deployment_.max_sequences = deployment_.engine->max_sequences;
        instance_.emplace(deployment_);
    }

    /// Poisson arrivals of so many requests a second at `replicas` replicas.
    [[nodiscard]] SimulationSetup setup(double rate, std::uint32_t replicas = 1) const {
        SimulationSetup setup(*instance_);
        setup.replicas = replicas;
        setup.load.rate = PerSecond(rate);
        setup.load.prompt = Distribution::parse_tokens("lognormal:mean=900,cv=1,max=4096", "benchmark");
        setup.load.output = Distribution::parse_tokens("lognormal:mean=210,cv=1,max=4096", "benchmark");
        setup.load.slo.terms = {{Metric::ttft, Statistic::mean, Seconds(3.15)},
                                {Metric::tpot, Statistic::mean, Seconds(0.1)}};
        return setup;
    }
    /// The highest rate at which the promises hold, as the search finds it.
    [[nodiscard]] SearchResult capacity() const {
        SearchSettings settings;
        settings.whole = false;
        settings.least = 0.01;
        settings.most = 1000;
        settings.guess = 4;
        settings.tolerance = 0.005;
        return search_capacity(settings, [this](double rate) {
            SimulationSetup one = setup(rate);
            run_steadily(one, open_places(100), {.least_requests = 5000, .cycles = 30});
            return one;
        });
    }

  private:
    Catalog catalog_{{PLIMSOLL_SOURCE_DIR}};
    Deployment deployment_;
    std::optional<Instance> instance_;
};

/// One for all benchmarks.
inline const LlamaServer& llama_server() {
    static const LlamaServer one;
    return one;
}
/// Its capacity in requests a second.
inline double llama_capacity() {
    static const double rate = llama_server().capacity().highest;
    return rate;
}

}  // namespace plimsoll
