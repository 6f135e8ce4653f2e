#pragma once
#include <cstdint>
#include <string>

#include "model/cost/step_cost.hpp"
#include "model/spec/load.hpp"
#include "simulator/engine_rule.hpp"
#include "simulator/folded_timer.hpp"

namespace plimsoll {

/// How a benchmark loads one instance.
struct InstanceLoad {
    std::uint32_t users = 1;
    bool steady_state = false;
    std::uint64_t requests = 250;   ///< of the shared queue; steady state: counted, after three a user of warm-up
    Seconds ramp{1.0};              ///< over which the users start
    bool tpot_over_tokens = false;  ///< otherwise over the tokens after the first
    std::uint32_t runs = 1;         ///< replications of seed 1 whose means are averaged
};

/// What the server's own measurements would say: means over requests, and requests by the time they took. TTFT from
/// the arrival at the server, TPOT each request's own mean.
struct InstanceMeans {
    Seconds ttft, tpot;
    PerSecond request_rate;
};

/// One instance under users that either drain a shared queue (ramp and drain included; lengths stratified, so that a
/// queue has the moments of their laws) or go on for ever.
class InstanceRunner {
  public:
    /// The cost must outlive the runner.
    InstanceRunner(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                   const Workload& workload, const Distribution& think_time);

    [[nodiscard]] InstanceMeans run(const InstanceLoad& load) const;

  private:
    [[nodiscard]] InstanceMeans run_once(const InstanceLoad& load, std::uint64_t seed) const;

    EngineRule rule_;
    FoldedTimer timer_;
    Workload workload_;
    Distribution think_time_;
    std::uint32_t max_output_;
};

}  // namespace plimsoll
