#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/spec/catalog.hpp"
#include "scenarios/defaults.hpp"
#include "simulator/cluster.hpp"

namespace plimsoll {

/// Limits and rules put over those of an engine; absent: the engine's.
struct EngineTerms {
    std::map<std::string, std::string, std::less<>> places;  ///< of the fields that are given, for messages
    std::optional<std::string> scheduler;                    ///< a name of schedulers()
    std::optional<std::uint32_t> max_step_tokens, block_tokens, max_waiting_tokens, chunk_tokens, ubatch_tokens,
        new_token_ratio_decay_steps;
    std::optional<std::uint64_t> kv_blocks;
    std::optional<double> watermark, waiting_served_ratio, new_token_ratio, least_new_token_ratio;
    std::optional<bool> padded_prefill;
    std::optional<int> reserved_output_tokens;  ///< that clients ask for
};

/// Preempted requests go to host memory; absent: 4 GiB of it beside each GPU (vLLM's default), over the node's PCIe.
struct SwapTerms {
    std::string place;
    std::optional<std::uint64_t> host_blocks;
    std::optional<Seconds> time_per_block;
};

/// Replicas of one deployment; what is absent is as in the deployment that a plan chose.
struct PoolTerms {
    std::string place;
    std::uint32_t replicas = 1;
    const Node* node = nullptr;  ///< with `gpu` and `efficiency`
    const Gpu* gpu = nullptr;
    const EfficiencyClass* efficiency = nullptr;
    const Engine* engine = nullptr;
    std::optional<Dtype> weights;
    std::optional<int> tensor_parallel, pipeline_parallel, max_sequences;
    std::optional<int> expert_parallel, attention_data_parallel, context_parallel, hosts_per_instance;
};

/// Decoding on replicas of its own.
struct SplitTerms {
    PoolTerms decode;
    std::string router;
    BytesPerSecond bandwidth{};  ///< of a replica's adapters together
    Seconds latency{};
    Disaggregation::Link link = Disaggregation::Link::of_prefill_replica;
    std::optional<std::uint64_t> most_held_tokens;
};

/// Recorded requests in the place of the load's.
struct RecordingTerms {
    std::string place;
    std::string file;  ///< as it stands; empty: the one that the command line names
    double speed = 1.0;
};

/// The section `simulation` of a scenario: how the deployment is run, names resolved.
struct SimulationTerms {
    std::uint32_t replicas = 1;    ///< without pools: of the deployment that a plan chose
    std::vector<PoolTerms> pools;  ///< instead of `replicas`
    std::string router = "round-robin";
    std::optional<double> load_factor;  ///< prefix-affinity: most requests on a replica, over the mean
    Seconds start_up{};
    std::vector<std::uint32_t> absent;  ///< replicas that an event starts
    EngineTerms engine;
    std::optional<SwapTerms> swap;
    ClusterConditions conditions;  ///< without disaggregation
    std::optional<SplitTerms> split;
    std::optional<RecordingTerms> recording;

    /// Replicas that take requests first, and all of them.
    [[nodiscard]] std::uint32_t front() const;
    [[nodiscard]] std::uint32_t all() const { return front() + (split ? split->decode.replicas : 0); }
    /// Whether the terms describe the whole deployment, so that it gets the whole load.
    [[nodiscard]] bool whole() const { return !pools.empty() || split.has_value(); }
};

/// Reads the section `simulation`, documented in scenarios/README.md. Throws InputError with file and JSON pointer.
[[nodiscard]] SimulationTerms read_simulation(const Fields& simulation, Catalog& catalog, Assumptions& assumptions);

/// What the section says and a plan does not model, in sentences.
[[nodiscard]] std::vector<std::string> left_out_of(const SimulationTerms& terms);

/// Puts the terms over the settings of a scheduler; throws InputError for a setting that it has no use for.
void apply(const EngineTerms& terms, const SchedulerKind& scheduler, SchedulerSettings& settings);

}  // namespace plimsoll
