#pragma once
#include <memory>
#include <vector>

#include "scenarios/simulation_terms.hpp"
#include "simulator/simulator.hpp"

namespace plimsoll {

/// The instances that a simulation needs, and the setup that points into them, without a load.
struct SimulatedCluster {
    std::vector<std::unique_ptr<Engine>> engines;
    std::vector<std::unique_ptr<Instance>> instances;  ///< of each pool, those that decode last
    SimulationSetup setup;
};

/// What the terms make of the deployment that a plan chose. Throws InputError where a pool cannot run, or a scheduler
/// has no use for a term. The pools of KV blocks are those of the workload where one is given.
[[nodiscard]] SimulatedCluster simulated_cluster(const Deployment& chosen, const SimulationTerms& terms,
                                                 const Workload* workload = nullptr);

}  // namespace plimsoll
