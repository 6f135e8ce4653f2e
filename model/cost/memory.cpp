#include "model/cost/memory.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

Split split_of(const Deployment& deployment) {
    return {.tensor = deployment.tensor_parallel, .pipeline = deployment.pipeline_parallel};
}

/// Live activations against what vLLM 0.6 to 0.9 logs of its profile run ("PyTorch activation peak memory"): 1.20 and
/// 1.26 GiB for an 8B model where 0.91 are counted here; buffers come and go in sizes that nobody lists.
constexpr double activation_error = 0.3;

double deviation_of_kv(const Deployment& deployment, const MemoryBudget& budget) {
    const Engine& engine = *deployment.engine;
    const Sourced<Bytes>& reported = deployment.gpu->usable_memory;
    double variance = 0;
    const auto add = [&](Bytes deviation) { variance += deviation.value() * deviation.value(); };
    add(reported.standard_deviation * engine.memory_fraction.value);
    add(reported.value * engine.memory_fraction.standard_deviation);
    add(budget.activations * activation_error);
    for (const auto* part : {&engine.framework_memory, &engine.workspace_memory, &engine.graph_memory})
        add(part->standard_deviation);
    if (deployment.gpus_per_instance() > 1) add(engine.communication_memory.standard_deviation);
    return std::sqrt(variance);
}

}  // namespace

std::optional<Infeasible> MemoryBudget::refusal(const Gpu& gpu) const {
    if (kv_tokens > 0) return std::nullopt;
    return Infeasible{"weights " + to_text(weights) + " + runtime " + to_text(fixed() - weights) +
                      " a GPU exceed the " + to_text(usable) + " of " + gpu.name + " by " + to_text(kv_least - kv)};
}

MemoryBudget memory_budget(const Architecture& architecture, const Deployment& deployment) {
    const Engine& engine = *deployment.engine;
    const Split split = split_of(deployment);
    MemoryBudget budget;
    budget.usable = deployment.gpu->usable_memory.value * engine.memory_fraction.value;
    budget.weights = architecture.weight_bytes_per_rank(split, deployment.weights);
    const int tokens = engine.scheduling == Scheduling::chunked ? engine.max_step_tokens : engine.max_prefill_tokens;
    const double rows = std::min(deployment.max_sequences, tokens);
    budget.activations = architecture.activation_bytes(tokens, rows, split, deployment.weights);
    budget.workspace = engine.workspace_memory.value;
    budget.graphs = engine.graph_memory.value;
    budget.framework = engine.framework_memory.value;
    budget.communication = deployment.gpus_per_instance() > 1 ? engine.communication_memory.value : Bytes(0);
    budget.deviation = Bytes(deviation_of_kv(deployment, budget));
    budget.kv_per_token = architecture.kv_bytes_per_token_per_rank(split, deployment.kv);
    budget.kv_least = budget.kv_per_token * (engine.block_tokens * std::ceil(1.0 / (1.0 - engine.watermark)));
    return with_more_kv(budget, engine, budget.usable - budget.fixed());
}

MemoryBudget with_more_kv(MemoryBudget budget, const Engine& engine, Bytes more) {
    budget.kv += more;
    const double blocks = std::floor(std::max(0.0, budget.kv / (budget.kv_per_token * engine.block_tokens)));
    budget.kv_tokens = std::floor(blocks * (1.0 - engine.watermark)) * engine.block_tokens;
    return budget;
}

KvDemand kv_demand(const Engine& engine, const Workload& workload) {
    const double prompt = workload.prompt.mean(), output = workload.output.mean();
    const double longest = workload.output.second_moment() / output;
    const double in_last_block = (engine.block_tokens - 1) / 2.0;
    if (engine.reservation == KvReservation::paged)
        return {.mean = prompt + (longest + 1.0) / 2.0 + in_last_block, .peak = prompt + output + in_last_block};
    if (engine.reservation == KvReservation::peak) {
        // Outputs of one length o and n ages spread over it: the peak is n (p + o / 2), and n times what is promised
        // beyond o.
        const double beyond = std::max(0.0, engine.reserved_output_tokens.value_or(0) - output);
        return {.mean = prompt + (longest + 1.0) / 2.0 + beyond, .peak = prompt + output + beyond};
    }
    if (engine.reserved_output_tokens) {
        const double held = prompt + *engine.reserved_output_tokens + in_last_block;
        return {.mean = held, .peak = held};
    }
    return {.mean = prompt + longest + in_last_block, .peak = prompt + output + in_last_block};
}

double largest_batch(const MemoryBudget& budget, const Deployment& deployment, const Workload& workload) {
    const double by_memory = budget.kv_tokens / kv_demand(*deployment.engine, workload).mean;
    return std::min<double>(by_memory, deployment.max_sequences);
}

}  // namespace plimsoll
