#include <benchmark/benchmark.h>

#include "simulator/load_plan.hpp"
#include "simulator/metrics.hpp"
#include "simulator/random.hpp"
#include "simulator/time_series.hpp"

namespace {

using namespace plimsoll;

LoadPlan plan_of(const std::string& kind, std::uint32_t users) {
    LoadPlan plan;
    plan.kind = kind;
    plan.prompt = Distribution::parse_tokens("lognormal:mean=900,cv=1", "benchmark");
    plan.output = Distribution::parse_tokens("lognormal:mean=210,cv=1", "benchmark");
    plan.think_time = Distribution::uniform(1.0, 3.0);
    plan.users = users;
    if (users == 0) plan.rate = PerSecond(10.0);
    plan.cv = 2.0;
    return plan;
}

/// One request of an open load.
void open_source(benchmark::State& state, const char* kind) {
    const auto source = make_source(plan_of(kind, 0), "benchmark");
    for (auto _ : state) benchmark::DoNotOptimize(source->take());
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(open_source, poisson, "poisson");
BENCHMARK_CAPTURE(open_source, gamma, "gamma");
BENCHMARK_CAPTURE(open_source, weibull, "weibull");
BENCHMARK_CAPTURE(open_source, diurnal, "diurnal");

/// One request of a closed loop and its answer two seconds later, by the number of users.
void closed_source(benchmark::State& state, const char* kind) {
    const auto users = static_cast<std::uint32_t>(state.range(0));
    const auto source = make_source(plan_of(kind, users), "benchmark");
    for (auto _ : state) {
        const Arrival arrival = source->take();
        Request request;
        request.tag = arrival.tag;
        request.prompt = arrival.prompt;
        request.output = arrival.output;
        request.first_token = request.finished = arrival.time + Seconds{2.0};
        source->finished(request);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(closed_source, closed, "closed")->RangeMultiplier(100)->Range(10, 100'000);
BENCHMARK_CAPTURE(closed_source, sessions, "sessions")->Arg(1000);

std::vector<Request> finished_requests() {
    RandomStream stream(1, "latencies");
    std::vector<Request> requests(4096);
    double now = 0;
    for (Request& request : requests) {
        now += 0.1 * stream.exponential();
        request.arrival = request.scheduled = Seconds(now);
        request.first_token = request.arrival + Seconds(0.2 * stream.exponential());
        request.output = 2 + static_cast<std::uint32_t>(stream.below(400));
        request.finished = request.first_token + Seconds(0.02 * request.output * (0.5 + stream.uniform()));
        request.prompt = 900;
    }
    return requests;
}

/// Counting one request: five measures, two courses, rates.
void metrics_request(benchmark::State& state) {
    const std::vector<Request> requests = finished_requests();
    Metrics metrics;
    std::size_t next = 0;
    for (auto _ : state) metrics.finished(requests[next++ % requests.size()]);
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(metrics_request);

/// Counting one stride, by its number of steps.
void metrics_stride(benchmark::State& state) {
    Metrics metrics;
    Stride stride;
    stride.steps = static_cast<std::uint64_t>(state.range(0));
    stride.decodes = 20;
    stride.piece = {.first = Seconds{0.012}, .growth = Seconds{2e-6}};
    for (auto _ : state) {
        stride.start = stride.end;
        stride.end = stride.start + stride.piece.total(stride.steps);
        metrics.stride(stride);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(metrics_stride)->Arg(1)->Arg(10)->Arg(100)->Arg(1000);

/// The report of 100,000 requests.
void metrics_report(benchmark::State& state) {
    const std::vector<Request> requests = finished_requests();
    Metrics metrics;
    for (std::size_t i = 0; i < 100'000; ++i) metrics.finished(requests[i % requests.size()]);
    for (auto _ : state) benchmark::DoNotOptimize(metrics.report());
}
BENCHMARK(metrics_report)->Unit(benchmark::kMicrosecond);

/// A fresh collector for a short run of 1000 requests.
void metrics_short_run(benchmark::State& state) {
    const std::vector<Request> requests = finished_requests();
    for (auto _ : state) {
        Metrics metrics;
        for (std::size_t i = 0; i < 1000; ++i) metrics.finished(requests[i]);
        benchmark::DoNotOptimize(metrics.report());
    }
}
BENCHMARK(metrics_short_run)->Unit(benchmark::kMicrosecond);

void time_series_stride(benchmark::State& state) {
    TimeSeries series;
    Stride stride;
    stride.steps = 10;
    for (auto _ : state) {
        stride.start = stride.end;
        stride.end += Seconds{0.12};
        series.stride(stride);
    }
}
BENCHMARK(time_series_stride);

}  // namespace
