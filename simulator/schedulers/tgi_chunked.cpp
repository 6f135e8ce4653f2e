#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// Text Generation Inference with prompt chunking (version 3): decodes and prompts in one forward of at most
/// max_step_tokens tokens, the last prompt cut to fit; no minimum of waiting requests. A prompt and all tokens asked
/// for are reserved on admission, so nothing is ever preempted.
class TgiChunked final : public Scheduler {
  public:
    explicit TgiChunked(const SchedulerSettings& settings) : settings_(settings) {}

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return state.kv().blocks_for(reserved_tokens(request)) <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        step.decode = !state.decoding().empty();
        std::uint32_t budget = settings_.step_tokens(state) - state.decoding().size();
        for (std::uint32_t id = state.filling().front(); id != no_request && budget > 0; id = state[id].next)
            budget -= step.add_chunk(state, id, budget);
        while (budget > 0 && !state.waiting().empty() && state.running() < settings_.max_sequences) {
            const std::uint32_t id = state.waiting().front();
            const std::uint64_t blocks = state.kv().blocks_for(reserved_tokens(state[id]));
            if (blocks > state.kv().free()) break;
            state.admit(blocks);
            budget -= step.add_chunk(state, id, budget);
        }
        step.heeds_arrivals = state.waiting().empty();
    }

  private:
    SchedulerSettings settings_;
};

}  // namespace

void register_tgi_chunked(Registry<SchedulerKind>& registry) {
    registry.add("tgi-chunked",
                 {.description = "Text Generation Inference 3: decodes and cut prompts in one step, full reservation",
                  .holding = KvHolding::reserved,
                  .defaults = {.max_sequences = 128, .max_step_tokens = 4096, .block_tokens = 1},
                  .make = [](const SchedulerSettings& settings) { return std::make_unique<TgiChunked>(settings); },
                  .refusal = budget_below_sequences});
}

}  // namespace plimsoll
