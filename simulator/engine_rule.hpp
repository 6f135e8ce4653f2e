#pragma once
#include <string>

#include "model/cost/memory.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {

/// A scheduler by name with its settings.
struct EngineRule {
    std::string scheduler;
    SchedulerSettings settings;
};

/// The scheduler that a deployment's engine names, with the engine's limits over its defaults and all blocks of the
/// memory (the scheduler itself keeps the watermark free). What clients ask for, `reserved_output_tokens`, comes with
/// each request. Throws InputError for an unknown scheduler.
[[nodiscard]] EngineRule engine_rule(const Deployment& deployment, const MemoryBudget& memory);

}  // namespace plimsoll
