#pragma once
/// What a program needs that simulates: one include.
#include <atomic>
#include <functional>

#include "simulator/affine_timer.hpp"
#include "simulator/cluster.hpp"
#include "simulator/instance.hpp"
#include "simulator/load_plan.hpp"
#include "simulator/metrics.hpp"
#include "simulator/replications.hpp"
#include "simulator/tabulated_timer.hpp"

namespace plimsoll {

/// Replicas behind a router, and what is sent to them. What is pointed to must outlive the runs.
struct SimulationSetup {
    SimulationSetup() = default;
    /// Replicas of a deployment's instance.
    explicit SimulationSetup(const Instance& instance)
        : timer(&instance.timer()),
          scheduler(&instance.scheduler()),
          settings(instance.settings()),
          front_end(instance.cost().front_end()) {}

    const StepTimer* timer = nullptr;
    const SchedulerKind* scheduler = nullptr;
    SchedulerSettings settings;
    Seconds front_end{};  ///< what each request and its tokens take outside the engines
    std::uint32_t replicas = 1;
    Seconds start_up{};                  ///< of each of them
    std::vector<ReplicaSpec> others;     ///< replicas of other kinds behind the same router, after those
    std::string router = "round-robin";  ///< a name of routers()
    RouterSettings routing;              ///< `seed` follows from that of the load
    ClusterConditions conditions;        ///< the seed of failures is mixed with that of the load
    LoadPlan load;                       ///< of all replicas together
    RunLimits limits;
    MetricsSettings metrics;                  ///< `block_tokens` is filled in, and so are `promises` from the load
    const std::atomic<bool>* stop = nullptr;  ///< once true the runs end, with what they have counted

    /// All replicas, those that decode for others included.
    [[nodiscard]] std::uint32_t all_replicas() const;
};

/// What one run, or several together, came to.
struct SimulationResult {
    Report report;
    ClusterCounts counts;
    bool interrupted = false;  ///< by `stop`
};

/// One run with the seed of the load. Throws InputError for an unknown router and a load or limits that make no sense.
[[nodiscard]] SimulationResult simulate(const SimulationSetup& setup, Observer* observer = nullptr);

/// One run that the observer alone watches: no metrics are kept.
ClusterCounts run_watched(const SimulationSetup& setup, Observer& observer);

/// Independent runs with the seeds that follow from that of the load, on up to `threads` threads; the results do not
/// depend on their number. `observer_of(index)` may watch a run; null: nobody does. When stopped, the runs that have
/// answered nothing are left out.
[[nodiscard]] std::vector<SimulationResult> simulate_replications(
    const SimulationSetup& setup, std::uint32_t count, std::uint32_t threads,
    const std::function<Observer*(std::uint32_t)>& observer_of = nullptr);

/// Several runs as one: counts added, figures averaged with intervals by Student's law over the runs. A single run
/// keeps its own intervals (batch means). At least one.
[[nodiscard]] SimulationResult combined(std::span<const SimulationResult> results);

}  // namespace plimsoll
