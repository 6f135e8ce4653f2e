#include "simulator/simulator.hpp"

#include "simulator/observer_group.hpp"

namespace plimsoll {
namespace {

/// Ends a run between two events by moving its time limit into the past.
class Stopper final : public Observer {
  public:
    Stopper(const std::atomic<bool>& stop, RunLimits& limits) : stop_(stop), limits_(limits) {}
    void finished(const Request&) override { look(); }
    void unanswered(const Request&) override { look(); }

  private:
    void look() {
        if (stop_.load(std::memory_order_relaxed)) limits_.time = Seconds(-1.0);
    }
    const std::atomic<bool>& stop_;
    RunLimits& limits_;
};

ClusterSettings cluster_of(const SimulationSetup& setup) {
    ClusterSettings cluster;
    cluster.replicas.assign(setup.replicas,
                            {.timer = setup.timer, .scheduler = setup.scheduler, .settings = setup.settings});
    cluster.router = &routers().at(setup.router, "router", "router");
    cluster.routing.seed = derived_seed(setup.load.seed, "router", 0);
    return cluster;
}

ClusterCounts run(const SimulationSetup& setup, Source& source, Observer& observer, const RunLimits& limits) {
    RequestTable requests;
    if (setup.replicas > 1) return Cluster(cluster_of(setup), requests).run(source, &observer, limits);
    Replica replica(requests, *setup.timer, *setup.scheduler, setup.settings);
    ClusterCounts counts;
    static_cast<RunCounts&>(counts) = simulate(source, requests, replica, &observer, limits);
    return counts;
}

}  // namespace

SimulationResult simulate(const SimulationSetup& setup, Observer* observer) {
    PLIMSOLL_ASSERT(setup.timer != nullptr && setup.scheduler != nullptr && setup.replicas > 0);
    check_settings(*setup.scheduler, setup.settings, "scheduler limits");
    const std::unique_ptr<Source> source = make_source(setup.load, "load");
    MetricsSettings settings = setup.metrics;
    settings.block_tokens = setup.settings.block_tokens;
    settings.promises = promises_of(setup.load);
    Metrics metrics(settings);
    RunLimits limits = setup.limits;
    ObserverGroup group;
    group.add(metrics);
    if (observer != nullptr) group.add(*observer);
    std::optional<Stopper> stopper;
    if (setup.stop != nullptr) group.add(stopper.emplace(*setup.stop, limits));
    SimulationResult result;
    if (group.size() == 1)
        result.counts = run(setup, *source, metrics, limits);
    else
        result.counts = run(setup, *source, group, limits);
    result.report = metrics.report();
    result.interrupted = limits.time < Seconds{};
    return result;
}

ClusterCounts run_watched(const SimulationSetup& setup, Observer& observer) {
    PLIMSOLL_ASSERT(setup.timer != nullptr && setup.scheduler != nullptr && setup.replicas > 0);
    check_settings(*setup.scheduler, setup.settings, "scheduler limits");
    RunLimits limits = setup.limits;
    const std::unique_ptr<Source> source = make_source(setup.load, "load");
    if (setup.stop == nullptr) return run(setup, *source, observer, limits);
    Stopper stopper(*setup.stop, limits);
    ObserverGroup group;
    group.add(observer);
    group.add(stopper);
    return run(setup, *source, group, limits);
}

std::vector<SimulationResult> simulate_replications(const SimulationSetup& setup, std::uint32_t count,
                                                    std::uint32_t threads,
                                                    const std::function<Observer*(std::uint32_t)>& observer_of) {
    std::vector<SimulationResult> results = replicate(count, threads, [&](std::uint32_t index) {
        if (setup.stop != nullptr && setup.stop->load()) return SimulationResult{{}, {}, true};
        SimulationSetup own = setup;
        own.load.seed = replication_seed(setup.load.seed, index);
        return simulate(own, observer_of ? observer_of(index) : nullptr);
    });
    const auto nothing = [](const SimulationResult& r) { return r.interrupted && r.report.finished == 0; };
    // The first stays even when it is empty: there is always a result.
    if (results.size() > 1) {
        const bool none = std::all_of(results.begin(), results.end(), nothing);
        results.erase(std::remove_if(results.begin() + (none ? 1 : 0), results.end(), nothing), results.end());
    }
    return results;
}

}  // namespace plimsoll
