#include "simulator/block_cache.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// vLLM V1 (v1/core/sched/scheduler.py): no phases, one token budget. Running requests first in order of admission,
/// each its missing tokens (a decode is missing one); then, unless something was preempted, waiting ones in order, the
/// last cut to what is left. Blocks are taken for the tokens of the step only, without a watermark; where there are
/// none the newest running request is preempted, to be computed again. The prefix cache is asked when a request is
/// admitted, and knows what a step computes as soon as that is composed. A preempted request finds in it what nobody
/// has used since, whether or not it is known what it holds: it is looked up by all its tokens, those that it has
/// generated too (vllm pull 9972; issue 25780 counts 30 % of hits so on random prompts).
class VllmV1 final : public Scheduler {
  public:
    explicit VllmV1(const SchedulerSettings& settings) : settings_(settings) {}

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return state.kv().blocks_for(stored_at_end(request)) <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        bool preempted = false;
        for (; state.kv().step_need() > state.kv().free(); preempted = true)
            state.preempt_known(state.filling().empty() ? state.decoding().back() : state.filling().back());
        step.decode = !state.decoding().empty();
        state.settle_decode();
        std::uint32_t budget = settings_.step_tokens(state) - state.decoding().size();
        // At most one prompt is cut: it is the newest of the running requests.
        if (!state.filling().empty() && budget > 0) {
            const std::uint32_t id = state.filling().front();
            const std::uint64_t blocks = blocks_for_chunk(state, id, budget);
            preempted = preempted || blocks > spare(state);
            if (blocks > spare(state)) {
                state.preempt_known(id);
            } else {
                state.take_blocks(id, blocks);
                budget -= add_chunk(state, step, id, budget);
            }
        }
        if (!preempted) admit_waiting(state, step, budget);
        if (preempted) step.steady = 1;
        step.heeds_arrivals = state.waiting().empty();
    }

  private:
    void admit_waiting(EngineState& state, Step& step, std::uint32_t budget) const {
        while (budget > 0 && !state.waiting().empty() && state.running() < settings_.max_sequences) {
            const std::uint32_t id = state.waiting().front();
            const PrefixHit hit = state.find_prefix(id);
            const std::uint32_t unfilled = state.unfilled(id, hit), held = state[id].target - unfilled;
            const std::uint64_t blocks = state.kv().blocks_for(std::uint64_t{held} + std::min(budget, unfilled));
            if (EngineState::blocks_taken(blocks, hit) > spare(state)) {
                // As decodes use up what was found, less is left of the prompt than a step can take.
                if (hit.idle > 0 && unfilled > budget) step.steady = 1;
                break;
            }
            state.admit(blocks, hit);
            budget -= add_chunk(state, step, id, budget);
        }
    }

    static std::uint32_t add_chunk(EngineState& state, Step& step, std::uint32_t id, std::uint32_t most) {
        const std::uint32_t tokens = step.add_chunk(state, id, most);
        state.announce(id, state[id].prefilled + tokens);
        return tokens;
    }

    /// What the decodes of the step leave.
    static std::uint64_t spare(const EngineState& state) { return state.kv().free() - state.kv().step_need(); }
    static std::uint64_t blocks_for_chunk(const EngineState& state, std::uint32_t id, std::uint32_t budget) {
        const std::uint64_t tokens = state[id].prefilled + std::uint64_t{std::min(budget, state.unfilled(id))};
        return state.kv().blocks_for(tokens) - state[id].blocks;
    }

    SchedulerSettings settings_;
};

}  // namespace

void register_vllm_v1(Registry<SchedulerKind>& registry) {
    registry.add("vllm-v1",
                 {.description = "vLLM 0.8 on: running requests, then waiting ones, in one token budget",
                  .holding = KvHolding::paged,
                  .defaults = {.max_sequences = 256, .max_step_tokens = 2048, .prefix_cache = true},
                  .make = [](const SchedulerSettings& settings) { return std::make_unique<VllmV1>(settings); },
                  .refusal = budget_below_sequences,
                  .prefix_cache = [](const SchedulerSettings& settings) -> std::unique_ptr<PrefixCache> {
                      return std::make_unique<BlockCache>(settings.kv_blocks, settings.block_tokens);
                  }});
}

}  // namespace plimsoll
