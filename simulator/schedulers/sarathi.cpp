#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// Sarathi-Serve (Agrawal et al., OSDI 2024): one token budget a step, filled first with the decodes, then with the
/// next chunks of prompts under way, then with new requests in order of arrival. A new request takes the blocks of its
/// whole prompt and leaves the watermark free; a decode takes a block when its last is full, and the newest request is
/// preempted, to be computed again, when there is none.
class Sarathi final : public Scheduler {
  public:
    explicit Sarathi(const SchedulerSettings& settings) : settings_(settings), watermark_(watermark_blocks(settings)) {}

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return state.kv().blocks_for(stored_at_end(request)) + watermark_ <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        if (state.make_room_for_decode() > 0) step.steady = 1;
        step.decode = !state.decoding().empty();
        std::uint32_t budget = settings_.step_tokens(state) - state.decoding().size();
        for (std::uint32_t id = state.filling().front(); id != no_request && budget > 0; id = state[id].next)
            budget -= step.add_chunk(state, id, budget);
        const std::uint64_t kept = state.kv().step_need() + watermark_;
        while (budget > 0 && !state.waiting().empty() && state.running() < settings_.max_sequences) {
            const std::uint32_t id = state.waiting().front();
            const std::uint64_t blocks = state.kv().blocks_for(state[id].target);
            if (blocks + kept > state.kv().free()) break;
            state.admit(blocks);
            budget -= step.add_chunk(state, id, budget);
        }
        step.heeds_arrivals = state.waiting().empty();
    }

  private:
    SchedulerSettings settings_;
    std::uint64_t watermark_;
};

}  // namespace

void register_sarathi(Registry<SchedulerKind>& registry) {
    registry.add("sarathi",
                 {.description = "Sarathi-Serve: decodes, then prompt chunks, in one token budget a step",
                  .holding = KvHolding::paged,
                  .defaults = {.max_sequences = 128, .max_step_tokens = 512, .watermark = 0.01},
                  .make = [](const SchedulerSettings& settings) { return std::make_unique<Sarathi>(settings); },
                  .refusal = budget_below_sequences});
}

}  // namespace plimsoll
