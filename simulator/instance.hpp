#pragma once
#include <optional>
#include <string>

#include "model/cost/architecture.hpp"
#include "model/cost/memory.hpp"
#include "model/cost/step_cost.hpp"
#include "simulator/folded_timer.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {

/// The scheduler of that name; throws InputError at `place`, with the known ones, when there is none.
[[nodiscard]] const SchedulerKind& scheduler_named(const std::string& name, const std::string& place);
/// Throws InputError at `place` when the scheduler refuses the limits.
void check_settings(const SchedulerKind& kind, const SchedulerSettings& settings, const std::string& place);

/// Why a deployment cannot run, if so: the model cannot be split so, or does not fit.
[[nodiscard]] std::optional<std::string> refusal_of(const Deployment& deployment);

/// One instance of a deployment, ready to be simulated. The entries of the deployment must outlive it.
class Instance {
  public:
    /// Throws InputError when the weights do not fit, the model cannot be split so, or the engine's scheduler is
    /// unknown or refuses its limits.
    /// The pool of KV blocks is that of the workload where one is given (see memory_budget).
    explicit Instance(const Deployment& deployment, const Workload* workload = nullptr);
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    [[nodiscard]] const Deployment& deployment() const { return deployment_; }
    [[nodiscard]] const MemoryBudget& memory() const { return memory_; }
    [[nodiscard]] const StepCost& cost() const { return cost_; }
    [[nodiscard]] const StepTimer& timer() const { return timer_; }
    [[nodiscard]] const SchedulerKind& scheduler() const { return *scheduler_; }
    [[nodiscard]] const SchedulerSettings& settings() const { return settings_; }

  private:
    Deployment deployment_;
    Architecture architecture_;
    MemoryBudget memory_;
    StepCost cost_;
    FoldedTimer timer_;
    const SchedulerKind* scheduler_;
    SchedulerSettings settings_;
};

}  // namespace plimsoll
