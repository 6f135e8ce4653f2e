#include "simulator/instance.hpp"

#include "model/cost/speculation.hpp"
#include "simulator/engine_rule.hpp"

namespace plimsoll {
namespace {

/// The budget of a deployment that can run.
MemoryBudget checked_budget(const Architecture& architecture, const Deployment& deployment, const Workload* workload) {
    if (const auto why = refusal_of(deployment))
        throw InputError(deployment.model->name + " on " + deployment.node->name, *why);
    return memory_budget(architecture, deployment, workload);
}

}  // namespace

std::optional<std::string> refusal_of(const Deployment& deployment) {
    const Architecture architecture(*deployment.model);
    if (const auto why = architecture.refusal(split_of(deployment))) return *why;
    if (const auto why = engine_refusal(deployment)) return *why;
    if (const auto why = speculation_refusal(deployment)) return *why;
    if (const auto why = memory_budget(architecture, deployment).refusal(*deployment.gpu)) return why->why;
    return std::nullopt;
}

const SchedulerKind& scheduler_named(const std::string& name, const std::string& place) {
    return schedulers().at(name, "scheduler", place);
}

void check_settings(const SchedulerKind& kind, const SchedulerSettings& settings, const std::string& place) {
    if (settings.prefix_cache && !kind.prefix_cache) throw InputError(place, "the engine has no prefix cache");
    if (!kind.refusal) return;
    if (const auto why = kind.refusal(settings)) throw InputError(place, *why);
}

Instance::Instance(const Deployment& deployment, const Workload* workload)
    : deployment_(deployment),
      architecture_(*deployment.model),
      memory_(checked_budget(architecture_, deployment_, workload)),
      cost_(architecture_, deployment_),
      timer_(cost_, static_cast<std::uint32_t>(deployment.max_sequences)),
      scheduler_(&scheduler_named(deployment.engine->scheduler, "engine " + deployment.engine->name)),
      settings_(engine_rule(deployment_, memory_).settings) {
    check_settings(*scheduler_, settings_, "engine " + deployment.engine->name);
}

}  // namespace plimsoll
