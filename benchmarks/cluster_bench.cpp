// What a request costs behind a router: 64 replicas against one, each under the same load.
#include <benchmark/benchmark.h>

#include "simulator/affine_timer.hpp"
#include "simulator/cluster.hpp"

using namespace plimsoll;
using namespace plimsoll::literals;

namespace {

/// Poisson arrivals of prompts and answers of exponential length, means 900 and 210 tokens.
class Poisson final : public Source {
  public:
    Poisson(PerSecond rate, std::uint64_t requests)
        : mean_gap_(1.0 / rate), requests_(requests), arrivals_(1, "arrivals"), lengths_(1, "lengths") {}

    [[nodiscard]] Seconds next_time() const override { return sent_ < requests_ ? next_ : never; }
    Arrival take() override {
        const Arrival arrival{.time = next_, .prompt = length(900), .output = length(210), .tag = sent_};
        next_ += mean_gap_ * arrivals_.exponential();
        ++sent_;
        return arrival;
    }

  private:
    std::uint32_t length(double mean) { return 1 + static_cast<std::uint32_t>(mean * lengths_.exponential()); }

    Seconds mean_gap_, next_{};
    std::uint64_t requests_, sent_ = 0;
    RandomStream arrivals_, lengths_;
};

/// A decode step of 8 ms and 25 us a sequence, a prefill of 20,000 tokens a second: about three quarters of what a
/// replica can bear at 6 requests a second.
const AffineTimer timer(
    {.constant = 8.0_ms, .per_prompt_token = 50.0_us, .per_decode = 25.0_us, .per_context_token = Seconds(2e-8)});
constexpr std::uint64_t requests = 200'000;

void run(benchmark::State& state, const char* router, std::uint32_t replicas) {
    const SchedulerKind& scheduler = schedulers().at("vllm-v0", "scheduler", "benchmark");
    SchedulerSettings limits = scheduler.defaults;
    limits.kv_blocks = 8000;
    limits.max_step_tokens = 16384;
    ClusterSettings settings;
    settings.replicas.assign(replicas, {.timer = &timer, .scheduler = &scheduler, .settings = limits});
    settings.router = &routers().at(router, "router", "benchmark");
    for (auto _ : state) {
        RequestTable table(64 * 64);
        Cluster cluster(settings, table);
        Poisson source(PerSecond(6.0 * replicas), requests);
        benchmark::DoNotOptimize(cluster.run(source));
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(requests) * state.iterations());
}

void alone(benchmark::State& state) {
    const SchedulerKind& scheduler = schedulers().at("vllm-v0", "scheduler", "benchmark");
    SchedulerSettings limits = scheduler.defaults;
    limits.kv_blocks = 8000;
    limits.max_step_tokens = 16384;
    for (auto _ : state) {
        RequestTable table(64 * 64);
        Replica replica(table, timer, scheduler, limits);
        Poisson source(PerSecond(6.0), requests);
        benchmark::DoNotOptimize(simulate(source, table, replica));
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(requests) * state.iterations());
}

BENCHMARK(alone)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run, one_replica, "round-robin", 1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run, round_robin_64, "round-robin", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run, random_64, "random", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run, power_of_two_64, "power-of-two", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run, least_outstanding_64, "least-outstanding", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run, least_kv_64, "least-kv", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run, session_affinity_64, "session-affinity", 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run, prefix_affinity_64, "prefix-affinity", 64)->Unit(benchmark::kMillisecond);

}  // namespace
