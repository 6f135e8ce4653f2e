#pragma once
#include <optional>
#include <string>

namespace plimsoll {

struct Deployment;
struct Engine;

/// How an instance is split over GPUs. The ranks of a stage divide its layers; other degrees say what becomes of the
/// attention and the experts among these ranks. vLLM counts otherwise: its tensor size T with D data-parallel ranks is
/// `tensor` = T D and `attention_data` = D here, and its expert parallelism is `expert` = T D
/// (docs/serving/expert_parallel_deployment.md); SGLang counts alike (--tp, --dp with --enable-dp-attention, --ep).
struct Split {
    int tensor = 1;          ///< ranks of a stage
    int expert = 1;          ///< of them, how many hold different experts; divides `tensor`
    int attention_data = 1;  ///< groups of them whose attention has requests of its own; divides `tensor`
    int context = 1;         ///< ranks of such a group that hold different tokens of the same KV heads
    int pipeline = 1;
    int hosts = 1;  ///< that the stages lie on, as many on each; divides `pipeline`
    int data = 1;
    bool all_to_all = false;  ///< tokens go to the ranks of their experts; otherwise every rank sees all tokens

    /// Ranks that divide the heads of the attention.
    [[nodiscard]] int attention_ranks() const { return tensor / attention_data; }
    /// Whether tokens are sent to their experts. Engines do so where every rank has experts of its own (SGLang
    /// docs/advanced_features/expert_parallelism.md: all-to-all needs ep = tp).
    [[nodiscard]] bool dispatches() const { return all_to_all && expert > 1 && expert == tensor; }
};

/// Tokens that an engine puts into one batch at the most: of a chunked step, otherwise of a prefill alone.
[[nodiscard]] int batch_tokens(const Engine& engine);
/// Tokens of one step of an instance at the most: each batch of its pipeline has the engine's budget (vLLM V1 goes on
/// with a prompt in the next batch while the chunk before is on its way, v1/core/sched/scheduler.py).
[[nodiscard]] int step_tokens(const Deployment& deployment);

/// The split of one instance of a deployment.
[[nodiscard]] Split split_of(const Deployment& deployment);

/// Why the engine of a deployment cannot split it so, if so.
[[nodiscard]] std::optional<std::string> engine_refusal(const Deployment& deployment);
/// Why the node of a deployment cannot be one of several that an instance spans, if so.
[[nodiscard]] std::optional<std::string> adapter_refusal(const Deployment& deployment);
/// Why the ranks of a stage, or the stages, cannot be divided so, if so, whatever the model.
[[nodiscard]] std::optional<std::string> division_refusal(const Split& split);
/// Why the ranks of an attention group cannot share contexts so, if so: of `copies` ranks with the same KV heads the
/// contexts can be divided over as many (vLLM docs/serving/context_parallel_deployment.md: at most ranks / KV heads).
[[nodiscard]] std::optional<std::string> context_refusal(const Split& split, int copies);

/// "TP8 EP8 ADP8 PP2 over 2 nodes": ranks of a stage, then the expert, attention-data, context and pipeline degrees and
/// the hosts above one.
[[nodiscard]] std::string split_text(const Deployment& deployment);

}  // namespace plimsoll
