#include "simulator/engine_rule.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {

EngineRule engine_rule(const Deployment& deployment, const MemoryBudget& memory) {
    const Engine& engine = *deployment.engine;
    EngineRule rule{engine.scheduler, schedulers().at(engine.scheduler, "scheduler", "engine " + engine.name).defaults};
    SchedulerSettings& settings = rule.settings;
    settings.max_sequences = static_cast<std::uint32_t>(deployment.max_sequences);
    settings.max_step_tokens = static_cast<std::uint32_t>(batch_tokens(engine));
    // Static batches pass a pipeline whole.
    const bool moves = engine.scheduling != Scheduling::static_batch;
    settings.batches = moves ? static_cast<std::uint32_t>(deployment.pipeline_parallel) : 1;
    settings.block_tokens = static_cast<std::uint32_t>(engine.block_tokens);
    settings.watermark = engine.watermark;
    if (engine.waiting_served_ratio) settings.waiting_served_ratio = *engine.waiting_served_ratio;
    if (engine.max_waiting_tokens) settings.max_waiting_tokens = static_cast<std::uint32_t>(*engine.max_waiting_tokens);
    const double blocks = std::floor(memory.kv / (memory.kv_per_token * engine.block_tokens));
    settings.kv_blocks = static_cast<std::uint64_t>(std::max(0.0, blocks));
    return rule;
}

}  // namespace plimsoll
