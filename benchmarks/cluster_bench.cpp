/// What a request costs behind a router: 64 replicas against one, each at 70 % of the capacity that the search finds,
/// all metrics on.
#include <benchmark/benchmark.h>

#include "benchmarks/llama_server.hpp"

namespace plimsoll {
namespace {

constexpr std::uint64_t requests = 500'000;

void replicas(benchmark::State& state, const char* router, std::uint32_t count) {
    SimulationSetup setup = llama_server().setup(0.7 * llama_capacity() * count, count);
    setup.router = router;
    setup.load.requests = requests;
    for (auto _ : state) benchmark::DoNotOptimize(simulate(setup));
    state.SetItemsProcessed(static_cast<std::int64_t>(requests) * state.iterations());
}

/// One replica behind a router, without the short way that `simulate` takes for it.
void routed(benchmark::State& state) {
    SimulationSetup setup = llama_server().setup(0.7 * llama_capacity());
    setup.load.requests = requests;
    ClusterSettings cluster;
    cluster.replicas = {{.timer = setup.timer, .scheduler = setup.scheduler, .settings = setup.settings}};
    cluster.router = routers().find("round-robin");
    MetricsSettings settings = setup.metrics;
    settings.block_tokens = setup.settings.block_tokens;
    settings.promises = promises_of(setup.load);
    for (auto _ : state) {
        RequestTable table;
        Metrics metrics(settings);
        Cluster one(cluster, table);
        benchmark::DoNotOptimize(one.run(*make_source(setup.load, "benchmark"), &metrics));
        benchmark::DoNotOptimize(metrics.report());
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(requests) * state.iterations());
}
BENCHMARK(routed)->Name("replicas/one_routed")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replicas, one, "round-robin", 1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replicas, round_robin_64, "round-robin", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replicas, random_64, "random", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replicas, power_of_two_64, "power-of-two", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replicas, least_outstanding_64, "least-outstanding", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replicas, least_kv_64, "least-kv", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replicas, session_affinity_64, "session-affinity", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replicas, prefix_affinity_64, "prefix-affinity", 64)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plimsoll
