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

/// The rule that an engine's description stands for, with its limits and the blocks of its memory: prompts alone and
/// paged KV are vllm-v0, prompts alone and full reservation tgi, a shared token budget with paged KV vllm-v1, with
/// full reservation tgi-chunked. (What clients ask for, `reserved_output_tokens`, comes with each request.)
[[nodiscard]] EngineRule engine_rule(const Deployment& deployment, const MemoryBudget& memory);

}  // namespace plimsoll
