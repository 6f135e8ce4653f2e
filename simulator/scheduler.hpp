#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/base/registry.hpp"
#include "simulator/engine_state.hpp"
#include "simulator/step_timer.hpp"

namespace plimsoll {

/// What becomes of a running request that has to give up its KV blocks.
enum class PreemptionMode {
    recompute,  ///< back to the queue; prompt and what was generated are prefilled again
    swap        ///< its blocks move to host memory and back
};

/// The limits of an engine as its user sets them. A scheduler reads those that its engine has.
struct SchedulerSettings {
    std::uint32_t max_sequences = 256;
    std::uint32_t max_step_tokens = 8192;  ///< tokens of a batch; of one prefill where the prefill runs alone
    std::uint32_t batches = 1;             ///< in the stages of a pipeline at once, together a step
    std::uint64_t kv_blocks = 0;
    std::uint32_t block_tokens = 16;  ///< 1: by the token
    double watermark = 0.0;           ///< share of the blocks that admission keeps free
    bool prefix_cache = false;        ///< vllm-v1, vllm-v1-async, sglang: KV is kept and found again

    bool padded_prefill = false;  ///< vllm-v0: the early rule, prompts x longest prompt <= max_step_tokens
    PreemptionMode preemption = PreemptionMode::recompute;
    std::uint64_t swap_blocks = 0;  ///< swap: blocks of host memory
    Seconds swap_per_block{};       ///< swap: time to move one block

    double waiting_served_ratio = 0.0;     ///< tgi
    std::uint32_t max_waiting_tokens = 0;  ///< tgi, lightllm: decode steps before waiting requests are looked at
    std::uint32_t chunk_tokens = 0;        ///< sglang: a prefill step's share of one prompt; 0: whole prompts
    double new_token_ratio = 0.0;          ///< sglang: share of the promised output that admission counts, at first
    double least_new_token_ratio = 0.0;    ///< sglang: what it decays to ...
    std::uint32_t new_token_ratio_decay_steps = 1;  ///< ... in so many decode steps
    std::uint32_t ubatch_tokens = 0;                ///< llama-cpp: a step is run in pieces of so many tokens; 0: whole

    /// Tokens of a step.
    [[nodiscard]] std::uint32_t step_tokens(const EngineState& state) const {
        return max_step_tokens * state.batches();
    }
    /// sglang: of a prefill step.
    [[nodiscard]] std::uint32_t chunked_step_tokens(const EngineState& state) const {
        const std::uint32_t whole = step_tokens(state);
        return chunk_tokens == 0 ? whole : std::min(whole, chunk_tokens * state.batches());
    }
};

/// The next step of an engine as its scheduler composes it. Every decoding request takes part, or none.
struct Step {
    std::vector<PromptChunk> chunks;
    bool decode = false;
    /// Pure decode steps, this one included, for which the same would be decided as long as no request comes, goes, or
    /// runs out of KV.
    std::uint64_t steady = unlimited_steps;
    bool heeds_arrivals = true;      ///< false: a new request would not change the decision before `steady` is over
    std::uint32_t piece_tokens = 0;  ///< the step is run in pieces of so many tokens, decodes first; 0: whole
    Seconds added{};                 ///< beside the computation: KV moved to or from the host
    Seconds wake = never;            ///< nothing to run: when to look again unless a request comes

    /// The request's next tokens, at most `most` of them; tells how many.
    std::uint32_t add_chunk(const EngineState& state, std::uint32_t id, std::uint32_t most) {
        const std::uint32_t tokens = std::min(most, state.unfilled(id));
        chunks.push_back({id, tokens, state[id].prefilled});
        return tokens;
    }
    void clear() {
        chunks.clear();
        decode = false;
        steady = unlimited_steps;
        heeds_arrivals = true;
        piece_tokens = 0;
        added = Seconds{};
        wake = never;
    }
};

/// The rule of a serving engine: who works in the next step. It reads and changes the state through its operations
/// (admit, grow a prompt's blocks, preempt); clock, growth, completions and skipping are the replica's.
class Scheduler {
  public:
    Scheduler() = default;
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;
    virtual ~Scheduler() = default;

    /// Whether the engine takes the request at all: what could never run is refused on arrival.
    [[nodiscard]] virtual bool accepts(const EngineState& state, const Request& request) const = 0;
    /// Composes the next step, into a cleared `step`; leaving it without chunks and decode means there is nothing to
    /// do.
    virtual void compose(EngineState& state, Step& step) = 0;
    /// The state is empty after a failure or a new start: forget what was kept beside it.
    virtual void reset() {}
};

/// A scheduler as one file of simulator/schedulers registers it.
struct SchedulerKind {
    std::string description;
    KvHolding holding = KvHolding::paged;
    SchedulerSettings defaults;  ///< of the engine; kv_blocks is always to be given
    std::function<std::unique_ptr<Scheduler>(const SchedulerSettings&)> make;
    /// Why the engine refuses the settings, if so.
    std::function<std::optional<std::string>(const SchedulerSettings&)> refusal;
    /// Its prefix cache; null: it has none.
    std::function<std::unique_ptr<PrefixCache>(const SchedulerSettings&)> prefix_cache = nullptr;

    [[nodiscard]] std::unique_ptr<PrefixCache> make_prefix_cache(const SchedulerSettings& settings) const {
        return settings.prefix_cache && prefix_cache ? prefix_cache(settings) : nullptr;
    }
};

/// KV tokens that a request has stored when it ends: its last token is given, not stored.
[[nodiscard]] inline std::uint64_t stored_at_end(const Request& request) {
    return std::uint64_t{request.prompt} + request.output - 1;
}
/// KV tokens that a full reservation holds.
[[nodiscard]] inline std::uint64_t reserved_tokens(const Request& request) {
    return std::uint64_t{request.prompt} + request.max_output;
}
/// Blocks that admission keeps free, rounded down.
[[nodiscard]] inline std::uint64_t watermark_blocks(const SchedulerSettings& settings) {
    return static_cast<std::uint64_t>(settings.watermark * static_cast<double>(settings.kv_blocks));
}

/// Why an engine whose decodes share the token budget refuses the settings: every running request must fit a step.
[[nodiscard]] std::optional<std::string> budget_below_sequences(const SchedulerSettings& settings);

/// All schedulers, by the name that a user gives.
[[nodiscard]] const Registry<SchedulerKind>& schedulers();

}  // namespace plimsoll
