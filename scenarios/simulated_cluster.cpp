#include "scenarios/simulated_cluster.hpp"

#include <algorithm>
#include <utility>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// vLLM's default for each GPU (swap_space, vLLM 0.6.1 config.py).
constexpr Bytes default_swap_space(4.0 * 1073741824.0);

/// The engine with those terms over it that its memory depends on.
std::unique_ptr<Engine> engine_with(const Engine& engine, const EngineTerms& terms) {
    auto changed = std::make_unique<Engine>(engine);
    if (terms.scheduler) changed->scheduler = *terms.scheduler;
    int& budget = engine.scheduling == Scheduling::chunked ? changed->max_step_tokens : changed->max_prefill_tokens;
    if (terms.max_step_tokens) budget = static_cast<int>(*terms.max_step_tokens);
    if (terms.block_tokens) changed->block_tokens = static_cast<int>(*terms.block_tokens);
    if (terms.watermark) changed->watermark = *terms.watermark;
    if (terms.reserved_output_tokens) changed->reserved_output_tokens = terms.reserved_output_tokens;
    return changed;
}

/// The engine of a pool as it is on the pool's GPU.
Engine engine_of(const Deployment& chosen, const PoolTerms& pool) {
    const Engine& engine = pool.engine != nullptr ? *pool.engine : *chosen.engine;
    return with_limits_of(engine, pool.node != nullptr ? *pool.gpu : *chosen.gpu);
}

Deployment deployment_with(const Deployment& chosen, const PoolTerms& pool, const Engine& engine) {
    Deployment result = chosen;
    if (pool.node != nullptr) {
        result.node = pool.node;
        result.gpu = pool.gpu;
        result.efficiency = pool.efficiency;
    }
    // Sequences that nobody has asked for are the engine's own.
    if (pool.engine != nullptr || chosen.max_sequences == chosen.engine->max_sequences)
        result.max_sequences = engine.max_sequences;
    result.engine = &engine;
    result.weights = pool.weights.value_or(chosen.weights);
    result.tensor_parallel = pool.tensor_parallel.value_or(chosen.tensor_parallel);
    result.pipeline_parallel = pool.pipeline_parallel.value_or(chosen.pipeline_parallel);
    result.expert_parallel = pool.expert_parallel.value_or(chosen.expert_parallel);
    result.attention_data_parallel = pool.attention_data_parallel.value_or(chosen.attention_data_parallel);
    result.context_parallel = pool.context_parallel.value_or(chosen.context_parallel);
    result.hosts_per_instance = pool.hosts_per_instance.value_or(chosen.hosts_per_instance);
    result.max_sequences = pool.max_sequences.value_or(result.max_sequences);
    if (const auto why = adapter_refusal(result)) throw InputError(pool.place, *why);
    if (result.gpus_per_host() > result.node->gpus)
        throw InputError(pool.place, result.node->name + " has " + std::to_string(result.node->gpus) + " GPUs, not " +
                                         std::to_string(result.gpus_per_host()));
    const auto& weights = result.engine->weights;
    const bool known = std::find(weights.begin(), weights.end(), result.weights) != weights.end();
    if (!known || !result.gpu->supports(result.weights))
        throw InputError(pool.place, result.engine->name + " on " + result.gpu->name + " does not run " +
                                         std::string(to_string(result.weights)) + " weights");
    return result;
}

void put_over(const SwapTerms& swap, const Instance& instance, SchedulerSettings& settings) {
    if (&instance.scheduler() != schedulers().find("vllm-v0"))
        throw InputError(swap.place, "preemption by swapping is a rule of the scheduler vllm-v0");
    const Bytes block = instance.memory().kv_per_token * settings.block_tokens;
    settings.preemption = PreemptionMode::swap;
    settings.swap_blocks = swap.host_blocks.value_or(static_cast<std::uint64_t>(default_swap_space / block));
    settings.swap_per_block = swap.time_per_block.value_or(block / instance.deployment().node->pcie.effective.value);
}

/// Adds the instance of one pool.
ReplicaSpec add_pool(const Deployment& chosen, const PoolTerms& pool, const SimulationTerms& terms,
                     const Workload* workload, SimulatedCluster& cluster) {
    cluster.engines.push_back(engine_with(engine_of(chosen, pool), terms.engine));
    const Deployment deployment = deployment_with(chosen, pool, *cluster.engines.back());
    cluster.instances.push_back(std::make_unique<Instance>(deployment, workload));
    const Instance& instance = *cluster.instances.back();
    ReplicaSpec spec{.timer = &instance.timer(),
                     .scheduler = &instance.scheduler(),
                     .settings = instance.settings(),
                     .start_up = terms.start_up};
    apply(terms.engine, *spec.scheduler, spec.settings);
    if (terms.swap) put_over(*terms.swap, instance, spec.settings);
    check_settings(*spec.scheduler, spec.settings, "limits of the scheduler");
    return spec;
}

void add_split(const Deployment& chosen, const SplitTerms& split, const SimulationTerms& terms,
               const Workload* workload, SimulatedCluster& cluster) {
    const ReplicaSpec spec = add_pool(chosen, split.decode, terms, workload, cluster);
    if (!continues_prefill(spec))
        throw InputError(split.decode.place, "the scheduler " + cluster.engines.back()->scheduler +
                                                 " prefills whole prompts and cannot decode for other replicas");
    const Instance& instance = *cluster.instances.back();
    Disaggregation& result = cluster.setup.conditions.disaggregation.emplace();
    result.decode.assign(split.decode.replicas, spec);
    result.router = &routers().at(split.router, "router", split.decode.place);
    result.kv_per_token = Architecture(*chosen.model).kv_bytes_per_token(instance.deployment().kv);
    result.bandwidth = split.bandwidth;
    result.latency = split.latency;
    result.link = split.link;
    if (split.most_held_tokens) result.most_held_tokens = *split.most_held_tokens;
}

/// The replicas behind the first router: as many as are alike and there from the beginning, then the others.
void put_into(std::vector<ReplicaSpec> specs, const std::vector<std::uint32_t>& absent, SimulationSetup& setup) {
    std::size_t alike = setup.replicas;
    for (const std::uint32_t index : absent) {
        if (index >= specs.size()) {
            setup.conditions.disaggregation->decode[index - specs.size()].present = false;
            continue;
        }
        if (index == 0) throw InputError("simulation.absent", "replica 0 is there from the beginning");
        specs[index].present = false;
        alike = std::min<std::size_t>(alike, index);
    }
    setup.timer = specs.front().timer;
    setup.scheduler = specs.front().scheduler;
    setup.settings = specs.front().settings;
    setup.replicas = static_cast<std::uint32_t>(alike);
    setup.others.assign(specs.begin() + static_cast<std::ptrdiff_t>(alike), specs.end());
}

}  // namespace

SimulatedCluster simulated_cluster(const Deployment& chosen, const SimulationTerms& terms, const Workload* workload) {
    SimulatedCluster cluster;
    SimulationSetup& setup = cluster.setup;
    setup.conditions = terms.conditions;
    setup.router = terms.router;
    if (terms.load_factor) setup.routing.load_factor = *terms.load_factor;
    setup.start_up = terms.start_up;
    std::vector<PoolTerms> pools = terms.pools;
    if (pools.empty()) pools.emplace_back().replicas = terms.replicas;
    setup.replicas = pools.front().replicas;
    std::vector<ReplicaSpec> specs;
    for (const PoolTerms& pool : pools)
        specs.insert(specs.end(), pool.replicas, add_pool(chosen, pool, terms, workload, cluster));
    if (terms.split) add_split(chosen, *terms.split, terms, workload, cluster);
    put_into(std::move(specs), terms.absent, setup);
    setup.front_end = cluster.instances.front()->cost().front_end();
    return cluster;
}

}  // namespace plimsoll
