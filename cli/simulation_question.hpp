#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/document.hpp"
#include "cli/session.hpp"
#include "model/capacity/forecaster.hpp"
#include "scenarios/simulated_cluster.hpp"
#include "simulator/capacity_search.hpp"

namespace plimsoll {

/// The highest load that keeps the promises, of all replicas together: in users, or in requests a second.
struct HighestLoad {
    SearchResult found;
    std::optional<double> forecast;  ///< the analytic model's own
};

/// All that a command line of `simulate` asks, with names resolved.
struct SimulationQuestion {
    SimulationSetup setup;  ///< points into what is kept below
    std::uint32_t replications = 1, threads = 1;
    std::string subject;  ///< what is simulated, for people
    std::optional<Deployment> deployment;
    std::string scenario_json;           ///< empty: there is no scenario
    Seconds think_time{};                ///< mean
    std::optional<Forecast> forecast;    ///< of one replica under its share of the load
    std::optional<HighestLoad> highest;  ///< with --highest-load, once it has been searched
    std::vector<std::string> notes;
    std::string refusal;  ///< why nothing can be simulated; everything else is empty then

    std::vector<std::string> assumptions;  ///< defaults that were taken

    SimulatedCluster cluster;  ///< what `setup` points into
    std::unique_ptr<TabulatedTimer> tables;
    std::unique_ptr<Workload> workload;
    std::unique_ptr<InstanceModel> model;  ///< null where nothing is forecast

    /// Replicas that requests come to first.
    [[nodiscard]] std::uint32_t front() const {
        return setup.replicas + static_cast<std::uint32_t>(setup.others.size());
    }
};

/// Reads the command line: a scenario's best deployment under its share of the load, or tabulated costs.
[[nodiscard]] SimulationQuestion read_simulation(const Arguments& arguments, Session& session);

// The parts of it.

/// Timer, scheduler, limits and load from --cost-tables and the options beside it.
void read_tables(const Arguments& arguments, Session& session, SimulationQuestion& question);
/// The best deployment of the scenario's first model, its load on the replicas and the forecast of it.
void read_deployment(const Arguments& arguments, Session& session, SimulationQuestion& question);
/// Users and requests per second of a load, or of all parts of a mixture.
struct LoadTotals {
    double users = 0, requests_per_s = 0;
};
[[nodiscard]] LoadTotals totals_of(const LoadPlan& load);
/// Asks the question's model, if it has one, for its forecast of the load.
void forecast_load(SimulationQuestion& question);
/// A whole number of an option, with room for more than an int.
[[nodiscard]] std::optional<std::uint64_t> whole_number(const Arguments& arguments, const std::string& name,
                                                        Range range);

}  // namespace plimsoll
