/// Requests and engine iterations a second of one replica: Llama-2-7B on one A100-80GB, vllm-v0, Poisson arrivals,
/// lognormal prompts of 900 and outputs of 210 tokens (cv 1). all metrics on. `load` is in
/// percent of the saturated rate. Allocations are those of the last two thirds of a run.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include <benchmark/benchmark.h>

#include "model/cost/memory.hpp"
#include "model/spec/catalog.hpp"
#include "simulator/engine_rule.hpp"
#include "simulator/folded_timer.hpp"
#include "simulator/load_plan.hpp"
#include "simulator/metrics.hpp"
#include "simulator/simulation.hpp"

namespace {
std::atomic<std::uint64_t> allocations{0};
}

// Not inlined, so that the compiler does not take new and free for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace plimsoll {
namespace {

std::unique_ptr<Source> poisson(double rate, std::uint64_t requests) {
    LoadPlan plan;
    plan.requests = requests;
    plan.rate = PerSecond(rate);
    plan.prompt = Distribution::parse_tokens("lognormal:mean=900,cv=1,max=4096", "benchmark");
    plan.output = Distribution::parse_tokens("lognormal:mean=210,cv=1,max=4096", "benchmark");
    return make_source(plan, "benchmark");
}

struct Server {
    Catalog catalog{{PLIMSOLL_SOURCE_DIR}};
    Deployment deployment;
    std::unique_ptr<Architecture> architecture;
    std::unique_ptr<StepCost> cost;
    std::unique_ptr<FoldedTimer> timer;
    SchedulerSettings settings;

    Server() {
        deployment.node = &catalog.nodes.at("a100-80gb-sxm-8", "benchmark");
        deployment.gpu = &catalog.gpus.at(deployment.node->gpu, "benchmark");
        deployment.efficiency = &catalog.classes.at(deployment.gpu->efficiency_class, "benchmark");
        deployment.model = &catalog.models.at("llama-2-7b", "benchmark");
        deployment.engine = &catalog.engines.at("vllm-v0", "benchmark");
        deployment.instances_per_node = 8;
        deployment.max_sequences = 256;
        architecture = std::make_unique<Architecture>(*deployment.model);
        cost = std::make_unique<StepCost>(*architecture, deployment);
        settings = engine_rule(deployment, memory_budget(*architecture, deployment)).settings;
        timer = std::make_unique<FoldedTimer>(*cost, settings.max_sequences);
    }
    RunCounts run(double rate, std::uint64_t count, Observer* observer, const RunLimits& limits = {}) const {
        RequestTable requests;
        Replica replica(requests, *timer, *schedulers().find("vllm-v0"), settings);
        return simulate(*poisson(rate, count), requests, replica, observer, limits);
    }
    /// Requests a second when there are always more waiting.
    double saturated_rate() const {
        const RunCounts counts = run(1e3, 20000, nullptr);
        return static_cast<double>(counts.requests) / counts.end.value();
    }
};

const Server& server() {
    static const Server one;
    return one;
}
double saturated_rate() {
    static const double rate = server().saturated_rate();
    return rate;
}

void load(benchmark::State& state) {
    const double rate = saturated_rate() * 1e-2 * static_cast<double>(state.range(0));
    const auto count = static_cast<std::uint64_t>(state.range(1));
    double requests = 0, iterations = 0, events = 0;
    std::uint64_t allocated = 0;
    for (auto _ : state) {
        Metrics metrics;
        RequestTable table(4096);
        Replica replica(table, *server().timer, *schedulers().find("vllm-v0"), server().settings);
        const auto source = poisson(rate, count);
        // Histograms have seen their widest values after a third of the run.
        const RunCounts first = simulate(*source, table, replica, &metrics, {.requests = count / 3});
        const std::uint64_t before = allocations.load();
        const RunCounts counts = simulate(*source, table, replica, &metrics);
        allocated += allocations.load() - before;
        requests += static_cast<double>(first.requests + counts.requests);
        iterations += static_cast<double>(first.iterations + counts.iterations);
        events += static_cast<double>(first.events + counts.events);
        benchmark::DoNotOptimize(metrics.report());
    }
    state.counters["requests/s"] = benchmark::Counter(requests, benchmark::Counter::kIsRate);
    state.counters["iterations/s"] = benchmark::Counter(iterations, benchmark::Counter::kIsRate);
    state.counters["events/request"] = events / requests;
    state.counters["rate"] = rate;
    state.counters["allocations"] = static_cast<double>(allocated);
}
BENCHMARK(load)
    ->ArgNames({"load", "requests"})
    ->Args({70, 1000000})
    ->Args({20, 1000000})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(load)
    ->Name("cost_per_request")
    ->ArgNames({"load", "requests"})
    ->Args({70, 10000})
    ->Args({70, 100000})
    ->Args({70, 1000000})
    ->Args({70, 10000000})
    ->Unit(benchmark::kMillisecond);

/// Every scheduler with its engine's limits on the same memory, at 1.5 times the rate that saturates vllm-v0: the queue
/// is never empty.
void overload(benchmark::State& state) {
    const auto& [name, kind] = *(schedulers().begin() + state.range(0));
    SchedulerSettings settings = kind.defaults;
    settings.max_sequences = std::min(settings.max_sequences, server().settings.max_sequences);
    settings.kv_blocks = server().settings.kv_blocks * server().settings.block_tokens / settings.block_tokens;
    double requests = 0, iterations = 0;
    for (auto _ : state) {
        RequestTable table(4096);
        Replica replica(table, *server().timer, kind, settings);
        const RunCounts counts = simulate(*poisson(1.5 * saturated_rate(), 100000), table, replica);
        requests += static_cast<double>(counts.requests);
        iterations += static_cast<double>(counts.iterations);
    }
    state.SetLabel(name);
    state.counters["requests/s"] = benchmark::Counter(requests, benchmark::Counter::kIsRate);
    state.counters["iterations/s"] = benchmark::Counter(iterations, benchmark::Counter::kIsRate);
}
BENCHMARK(overload)->Unit(benchmark::kMillisecond)->Apply([](benchmark::internal::Benchmark* all) {
    all->DenseRange(0, static_cast<std::int64_t>(schedulers().names().size()) - 1);
});

}  // namespace
}  // namespace plimsoll
