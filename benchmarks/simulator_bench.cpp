/// Requests and engine iterations a second of one replica: Llama-2-7B on one A100-80GB, vllm-v0, Poisson arrivals,
/// lognormal prompts of 900 and outputs of 210 tokens (cv 1). `load` is in percent of the saturated rate.
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <new>

#include <benchmark/benchmark.h>

#include "model/cost/memory.hpp"
#include "model/spec/catalog.hpp"
#include "simulator/engine_rule.hpp"
#include "simulator/folded_timer.hpp"
#include "simulator/random.hpp"
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

/// A normal deviate by the polar method (Marsaglia, Bray 1964), one at a time.
double normal(RandomStream& stream) {
    for (;;) {
        const double u = 2.0 * stream.uniform() - 1.0, v = 2.0 * stream.uniform() - 1.0, s = u * u + v * v;
        if (s < 1.0) return u * std::sqrt(-2.0 * std::log(s) / s);
    }
}

class Lognormal {
  public:
    Lognormal(double mean, double cv)
        : sigma_(std::sqrt(std::log1p(cv * cv))), mu_(std::log(mean) - 0.5 * sigma_ * sigma_) {}
    std::uint32_t operator()(RandomStream& stream) const {
        return static_cast<std::uint32_t>(std::clamp(std::round(std::exp(mu_ + sigma_ * normal(stream))), 1.0, 4096.0));
    }

  private:
    double sigma_, mu_;
};

class PoissonSource final : public Source {
  public:
    PoissonSource(double rate, std::uint64_t count) : rate_(rate), left_(count) { draw(); }
    [[nodiscard]] Seconds next_time() const override { return next_; }
    Arrival take() override {
        Arrival arrival{.time = next_, .prompt = prompt_(prompts_), .output = output_(outputs_)};
        draw();
        return arrival;
    }

  private:
    void draw() { next_ = left_-- == 0 ? never : next_ + Seconds(arrivals_.exponential() / rate_); }
    double rate_;
    std::uint64_t left_;
    Seconds next_{};
    RandomStream arrivals_{1, "arrivals"}, prompts_{1, "prompts"}, outputs_{1, "outputs"};
    Lognormal prompt_{900, 1}, output_{210, 1};
};

/// Means and a logarithmic histogram, as metrics keep them.
class Tally final : public Observer {
  public:
    void finished(const Request& request) override {
        add(0, request.first_token - request.arrival);
        add(1, request.finished - request.arrival);
        if (request.output > 1) add(2, (request.finished - request.first_token) / (request.output - 1.0));
    }
    void stride(const Stride& stride) override {
        if (stride.decodes > 0) add(3, stride.piece.first, static_cast<double>(stride.steps) * stride.decodes);
    }
    double sums[4] = {};

  private:
    void add(int metric, Seconds value, double weight = 1) {
        int exponent = 0;
        const double mantissa = std::frexp(value.value(), &exponent);
        counts_[metric][static_cast<std::size_t>((exponent + 32) * 64 + static_cast<int>(mantissa * 128) - 64)] +=
            weight;
        sums[metric] += value.value() * weight;
    }
    double counts_[4][4096] = {};
};

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
        PoissonSource source(rate, count);
        return simulate(source, requests, replica, observer, limits);
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
        auto tally = std::make_unique<Tally>();
        RequestTable table(4096);
        Replica replica(table, *server().timer, *schedulers().find("vllm-v0"), server().settings);
        PoissonSource source(rate, count);
        simulate(source, table, replica, tally.get(), {.requests = std::min<std::uint64_t>(count / 10, 10000)});
        const std::uint64_t before = allocations.load();
        const RunCounts counts = simulate(source, table, replica, tally.get());
        allocated += allocations.load() - before;
        requests += static_cast<double>(counts.requests);
        iterations += static_cast<double>(counts.iterations);
        events += static_cast<double>(counts.events);
        benchmark::DoNotOptimize(tally->sums);
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
        PoissonSource source(1.5 * saturated_rate(), 100000);
        const RunCounts counts = simulate(source, table, replica);
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
