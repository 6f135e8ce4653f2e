#include "simulator/capacity_search.hpp"

#include <algorithm>
#include <cmath>

#include "simulator/promise_watch.hpp"

namespace plimsoll {
namespace {

/// How much longer an open load is run.
constexpr double open_factor = 4.0;
/// Requests of each place that are left out at the start, until the users are out of step.
constexpr double warm_up_cycles = 6.0;

}  // namespace

void run_steadily(SimulationSetup& setup, double places, const SteadyRuns& runs) {
    const auto counted = std::max(runs.least_requests, static_cast<std::uint64_t>(std::ceil(runs.cycles * places)));
    setup.metrics.warm_up = WarmUp::fixed;
    setup.metrics.warm_up_requests =
        std::max(runs.least_requests / 5, static_cast<std::uint64_t>(warm_up_cycles * places));
    setup.limits.requests = setup.metrics.warm_up_requests + counted;
}

double open_places(double running) {
    return open_factor * running;
}

SearchResult search_capacity(const SearchSettings& settings, const std::function<SimulationSetup(double)>& setup_at) {
    return highest_load(settings, [&](double load, std::uint32_t replication) {
        SimulationSetup setup = setup_at(load);
        setup.load.seed = replication_seed(setup.load.seed, replication);
        setup.stop = settings.stop;
        PromiseWatch watch(promises_of(setup.load), setup.metrics.warm_up_requests);
        run_watched(setup, watch);
        return watch.worst_ratio();
    });
}

}  // namespace plimsoll
