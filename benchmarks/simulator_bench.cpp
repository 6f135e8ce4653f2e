/// Requests and engine iterations a second of one replica (benchmarks/llama_server.hpp), all metrics on. `load` is in
/// percent of the capacity that the search finds. Allocations are those of the last two thirds of a run, peak memory
/// that of the program so far.
#include <atomic>
#include <cstdlib>
#include <new>

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include "benchmarks/llama_server.hpp"

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

/// MB of memory that the program has used at the most.
double peak_megabytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1e3;
}

void load(benchmark::State& state) {
    SimulationSetup setup = llama_server().setup(1e-2 * static_cast<double>(state.range(0)) * llama_capacity());
    setup.load.requests = static_cast<std::uint64_t>(state.range(1));
    double requests = 0, iterations = 0, events = 0;
    std::uint64_t allocated = 0;
    for (auto _ : state) {
        MetricsSettings settings;
        settings.block_tokens = setup.settings.block_tokens;
        settings.promises = promises_of(setup.load);
        Metrics metrics(settings);
        RequestTable table(4096);
        Replica replica(table, *setup.timer, *setup.scheduler, setup.settings);
        const auto source = make_source(setup.load, "benchmark");
        // Histograms have seen their widest values after a third of the run.
        const RunCounts first = simulate(*source, table, replica, &metrics, {.requests = setup.load.requests / 3});
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
    state.counters["rate"] = setup.load.rate.value();
    state.counters["allocations"] = static_cast<double>(allocated);
    state.counters["peak_MB"] = peak_megabytes();
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

/// The search of the capacity itself.
void search(benchmark::State& state) {
    SearchResult found;
    for (auto _ : state) found = llama_server().capacity();
    state.counters["rate"] = found.highest;
    state.counters["runs"] = found.runs;
}
BENCHMARK(search)->Unit(benchmark::kMillisecond);

/// Every scheduler with its engine's limits on the same memory, at 1.5 times the capacity of vllm-v0: the queue
/// is never empty.
void overload(benchmark::State& state) {
    const auto& [name, kind] = *(schedulers().begin() + state.range(0));
    SimulationSetup setup = llama_server().setup(1.5 * llama_capacity());
    setup.load.requests = 100'000;
    SchedulerSettings settings = kind.defaults;
    settings.max_sequences = std::min(settings.max_sequences, setup.settings.max_sequences);
    settings.kv_blocks = setup.settings.kv_blocks * setup.settings.block_tokens / settings.block_tokens;
    double requests = 0, iterations = 0;
    for (auto _ : state) {
        RequestTable table(4096);
        Replica replica(table, *setup.timer, kind, settings);
        const RunCounts counts = simulate(*make_source(setup.load, "benchmark"), table, replica);
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
