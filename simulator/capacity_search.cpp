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
/// Requests may come so much faster than they are answered, as runs of this length are unsure of it. Beyond it the
/// queue grows for ever, and no promise holds in the long run, not even one that leaves waiting out.
constexpr double surely_overloaded = 1.05;

/// The ratio of a load that breaks every promise.
constexpr double broken = HUGE_VAL;

bool is_open(const LoadPlan& load) {
    return load.users == 0 && std::all_of(load.classes.begin(), load.classes.end(), is_open);
}

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
        if (watch.refused_share() > most_refused) return broken;
        const double faster = is_open(setup.load) ? watch.came_over_answered() : 1.0;
        return std::max(watch.worst_ratio(), faster > surely_overloaded ? faster : 0.0);
    });
}

}  // namespace plimsoll
