#include "simulator/instance.hpp"

#include <cmath>

namespace plimsoll {
namespace {

/// The budget of a deployment that can run.
MemoryBudget checked_budget(const Architecture& architecture, const Deployment& deployment) {
    const std::string place = deployment.model->name + " on " + deployment.node->name;
    if (const auto why =
            architecture.refusal({.tensor = deployment.tensor_parallel, .pipeline = deployment.pipeline_parallel}))
        throw InputError(place, *why);
    MemoryBudget budget = memory_budget(architecture, deployment);
    if (const auto why = budget.refusal(*deployment.gpu)) throw InputError(place, why->why);
    return budget;
}

}  // namespace

const SchedulerKind& scheduler_named(const std::string& name, const std::string& place) {
    return schedulers().at(name, "scheduler", place);
}

void check_settings(const SchedulerKind& kind, const SchedulerSettings& settings, const std::string& place) {
    if (!kind.refusal) return;
    if (const auto why = kind.refusal(settings)) throw InputError(place, *why);
}

SchedulerSettings scheduler_settings(const Deployment& deployment, const MemoryBudget& memory) {
    const Engine& engine = *deployment.engine;
    SchedulerSettings settings = scheduler_named(engine.scheduler, "engine " + engine.name).defaults;
    const bool chunked = engine.scheduling == Scheduling::chunked;
    settings.max_sequences = static_cast<std::uint32_t>(deployment.max_sequences);
    settings.max_step_tokens = static_cast<std::uint32_t>(chunked ? engine.max_step_tokens : engine.max_prefill_tokens);
    settings.block_tokens = static_cast<std::uint32_t>(engine.block_tokens);
    settings.watermark = engine.watermark;
    const Bytes block = memory.kv_per_token * engine.block_tokens;
    settings.kv_blocks = static_cast<std::uint64_t>(std::floor(memory.kv / block));
    if (engine.waiting_served_ratio) settings.waiting_served_ratio = *engine.waiting_served_ratio;
    if (engine.max_waiting_tokens) settings.max_waiting_tokens = static_cast<std::uint32_t>(*engine.max_waiting_tokens);
    return settings;
}

Instance::Instance(const Deployment& deployment)
    : deployment_(deployment),
      architecture_(*deployment.model),
      memory_(checked_budget(architecture_, deployment_)),
      cost_(architecture_, deployment_),
      timer_(cost_, static_cast<std::uint32_t>(deployment.max_sequences)),
      scheduler_(&scheduler_named(deployment.engine->scheduler, "engine " + deployment.engine->name)),
      settings_(scheduler_settings(deployment_, memory_)) {
    check_settings(*scheduler_, settings_, "engine " + deployment.engine->name);
}

}  // namespace plimsoll
