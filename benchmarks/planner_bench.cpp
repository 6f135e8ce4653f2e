#include <benchmark/benchmark.h>

#include "model/capacity/planner.hpp"
#include "scenarios/reader.hpp"

namespace {

const char* const question = PLIMSOLL_SOURCE_DIR "/scenarios/chat-10k-users.json";

/// The whole answer with names resolved; items are the deployments evaluated.
void plan_ten_thousand_users(benchmark::State& state) {
    plimsoll::Catalog catalog({PLIMSOLL_SOURCE_DIR});
    const plimsoll::Scenario scenario = plimsoll::read_scenario(question, {}, catalog);
    std::int64_t deployments = 0;
    for (auto _ : state) {
        const plimsoll::Plan plan = plimsoll::plan(scenario, catalog);
        benchmark::DoNotOptimize(plan.answers.data());
        deployments += static_cast<std::int64_t>(plan.candidates.size());
    }
    state.SetItemsProcessed(deployments);
}
BENCHMARK(plan_ten_thousand_users)->Unit(benchmark::kMillisecond);

/// Reading the scenario and all data that it names, from files.
void read_ten_thousand_users(benchmark::State& state) {
    for (auto _ : state) {
        plimsoll::Catalog catalog({PLIMSOLL_SOURCE_DIR});
        benchmark::DoNotOptimize(plimsoll::read_scenario(question, {}, catalog));
    }
}
BENCHMARK(read_ten_thousand_users)->Unit(benchmark::kMillisecond);

}  // namespace
