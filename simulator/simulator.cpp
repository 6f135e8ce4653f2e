#include "simulator/simulator.hpp"

#include <algorithm>

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
    static_cast<ClusterConditions&>(cluster) = setup.conditions;
    cluster.failures.seed = derived_seed(setup.load.seed, "failures", setup.conditions.failures.seed);
    cluster.replicas.assign(
        setup.replicas,
        {.timer = setup.timer, .scheduler = setup.scheduler, .settings = setup.settings, .start_up = setup.start_up});
    cluster.replicas.insert(cluster.replicas.end(), setup.others.begin(), setup.others.end());
    cluster.router = &routers().at(setup.router, "router", "router");
    cluster.routing = setup.routing;
    cluster.routing.seed = derived_seed(setup.load.seed, "router", 0);
    return cluster;
}

/// Requests on their way from the clients to the engines. The way of their tokens back is counted in it: a client waits
/// as long either way, for the first token, for the last, and with the next request.
class FrontEnd final : public Source {
  public:
    FrontEnd(std::unique_ptr<Source> clients, Seconds delay) : clients_(std::move(clients)), delay_(delay) {}
    [[nodiscard]] Seconds next_time() const override { return clients_->next_time() + delay_; }
    Arrival take() override { return clients_->take(); }
    void finished(const Request& request) override { clients_->finished(request); }

  private:
    std::unique_ptr<Source> clients_;
    Seconds delay_;
};

std::unique_ptr<Source> source_of(const SimulationSetup& setup) {
    std::unique_ptr<Source> clients = make_source(setup.load, "load");
    if (setup.front_end <= Seconds{}) return clients;
    return std::make_unique<FrontEnd>(std::move(clients), setup.front_end);
}

ClusterCounts run(const SimulationSetup& setup, Source& source, Observer& observer, const RunLimits& limits) {
    RequestTable requests;
    if (setup.all_replicas() > 1 || setup.conditions.any())
        return Cluster(cluster_of(setup), requests).run(source, &observer, limits);
    Replica replica(requests, *setup.timer, *setup.scheduler, setup.settings);
    ClusterCounts counts;
    static_cast<RunCounts&>(counts) = simulate(source, requests, replica, &observer, limits);
    return counts;
}

void check(const SimulationSetup& setup) {
    PLIMSOLL_ASSERT(setup.timer != nullptr && setup.scheduler != nullptr && setup.replicas > 0);
    check_settings(*setup.scheduler, setup.settings, "scheduler limits");
    for (const ReplicaSpec& spec : setup.others) check_settings(*spec.scheduler, spec.settings, "scheduler limits");
}

/// Tokens of a KV block, where all replicas have the same.
std::uint32_t block_tokens_of(const SimulationSetup& setup) {
    const std::uint32_t tokens = setup.settings.block_tokens;
    const auto differs = [tokens](const ReplicaSpec& spec) { return spec.settings.block_tokens != tokens; };
    const auto& split = setup.conditions.disaggregation;
    const bool mixed = std::any_of(setup.others.begin(), setup.others.end(), differs) ||
                       (split && std::any_of(split->decode.begin(), split->decode.end(), differs));
    return mixed ? 0 : tokens;
}

}  // namespace

std::uint32_t SimulationSetup::all_replicas() const {
    const std::size_t decode = conditions.disaggregation ? conditions.disaggregation->decode.size() : 0;
    return replicas + static_cast<std::uint32_t>(others.size() + decode);
}

SimulationResult simulate(const SimulationSetup& setup, Observer* observer) {
    check(setup);
    const std::unique_ptr<Source> source = source_of(setup);
    MetricsSettings settings = setup.metrics;
    settings.block_tokens = block_tokens_of(setup);
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
    check(setup);
    RunLimits limits = setup.limits;
    const std::unique_ptr<Source> source = source_of(setup);
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
