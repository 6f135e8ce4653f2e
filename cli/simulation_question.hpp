#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/document.hpp"
#include "cli/session.hpp"
#include "model/spec/forecast.hpp"
#include "scenarios/simulated_cluster.hpp"

namespace plimsoll {

/// All that a command line of `simulate` asks, with names resolved.
struct SimulationQuestion {
    SimulationSetup setup;  ///< points into what is kept below
    std::uint32_t replications = 1, threads = 1;
    std::string subject;  ///< what is simulated, for people
    std::optional<Deployment> deployment;
    std::string scenario_json;         ///< empty: there is no scenario
    Seconds think_time{};              ///< mean
    std::optional<Forecast> forecast;  ///< of one replica under its share of the load
    std::vector<std::string> notes;
    std::string refusal;  ///< why nothing can be simulated; everything else is empty then

    std::vector<std::string> assumptions;  ///< defaults that were taken

    SimulatedCluster cluster;  ///< what `setup` points into
    std::unique_ptr<TabulatedTimer> tables;

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
/// A whole number of an option, with room for more than an int.
[[nodiscard]] std::optional<std::uint64_t> whole_number(const Arguments& arguments, const std::string& name,
                                                        Range range);

}  // namespace plimsoll
