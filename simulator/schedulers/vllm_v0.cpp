#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// vLLM before V1, without chunked prefill (core/scheduler.py): waiting prompts first, alone in their step, in order of
/// arrival until the token budget, the sequences or the blocks run out; otherwise one decode of all. A prompt takes
/// its own blocks only, leaving the watermark free; the newest request gives way when a decode finds no block. It is
/// computed again, or its blocks move to the host; while any are there they come back before new prompts start.
class VllmV0 final : public Scheduler {
  public:
    explicit VllmV0(const SchedulerSettings& settings)
        : settings_(settings),
          watermark_(watermark_blocks(settings)),
          swaps_(settings.preemption == PreemptionMode::swap) {}

    /// The engine demands a budget of at least the longest sequence, so that every recomputation fits a step.
    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        const std::uint64_t longest = stored_at_end(request), next = swaps_ ? 1 : 0;
        return longest <= settings_.max_step_tokens &&
               state.kv().blocks_for(longest) + next + watermark_ <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        if (state.swapped().empty()) gather_prompts(state, step);
        if (!step.chunks.empty()) return;
        std::uint64_t moved = 0;
        const bool preempted = preempt_for_decode(state, moved);
        if (!preempted) swap_in(state, moved);
        // With the last one back, prompts may start in the next step.
        if (preempted || moved > 0) step.steady = 1;
        step.added = settings_.swap_per_block * static_cast<double>(moved);
        step.decode = !state.decoding().empty();
        step.heeds_arrivals = state.waiting().empty() && state.swapped().empty();
    }

    void reset() override { host_blocks_ = 0; }

  private:
    void gather_prompts(EngineState& state, Step& step) const {
        std::uint64_t tokens = 0, longest = 0;
        while (!state.waiting().empty() && state.running() < settings_.max_sequences) {
            const std::uint32_t id = state.waiting().front();
            const std::uint32_t prompt = state.unfilled(id);
            longest = std::max<std::uint64_t>(longest, prompt);
            tokens += prompt;
            const std::uint64_t taken = settings_.padded_prefill ? longest * (step.chunks.size() + 1) : tokens;
            const std::uint64_t blocks = state.kv().blocks_for(state[id].target);
            if (taken > settings_.step_tokens(state) || blocks + watermark_ > state.kv().free()) break;
            state.admit(blocks);
            step.add_chunk(state, id, prompt);
        }
    }

    /// Tells whether anything had to go. A host without room has the request computed again.
    bool preempt_for_decode(EngineState& state, std::uint64_t& moved) {
        if (!swaps_) return state.make_room_for_decode() > 0;
        bool any = false;
        for (; state.kv().step_need() > state.kv().free(); any = true) {
            const std::uint32_t id = state.decoding().back();
            const std::uint64_t blocks = state.stored_blocks(id);
            if (host_blocks_ + blocks > settings_.swap_blocks) {
                state.preempt(id);
                continue;
            }
            state.swap_out(id);
            host_blocks_ += blocks;
            moved += blocks;
        }
        return any;
    }

    /// A request comes back when its blocks and one more are free beside those of the step and the watermark.
    void swap_in(EngineState& state, std::uint64_t& moved) {
        while (!state.swapped().empty() && state.running() < settings_.max_sequences) {
            const std::uint64_t blocks = state.stored_blocks(state.swapped().front());
            if (blocks + 1 + state.kv().step_need() + watermark_ > state.kv().free()) return;
            state.swap_in();
            host_blocks_ -= blocks;
            moved += blocks;
        }
    }

    SchedulerSettings settings_;
    std::uint64_t watermark_;
    bool swaps_;
    std::uint64_t host_blocks_ = 0;
};

}  // namespace

void register_vllm_v0(Registry<SchedulerKind>& registry) {
    registry.add("vllm-v0",
                 {.description = "vLLM 0.2 to 0.7: prompts first and alone, paged KV, newest request preempted",
                  .holding = KvHolding::paged,
                  .defaults = {.max_sequences = 256, .max_step_tokens = 8192, .watermark = 0.01},
                  .make = [](const SchedulerSettings& settings) { return std::make_unique<VllmV0>(settings); },
                  .refusal = {}});
}

}  // namespace plimsoll
