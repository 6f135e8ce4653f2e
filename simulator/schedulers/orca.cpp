#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// Orca (Yu et al., OSDI 2022, algorithm 1): requests join and leave between iterations; in order of arrival up to the
/// batch size, a new one when the token slots of its prompt and the longest answer asked for can be reserved. Whole
/// prompts share the iteration with the decodes of the others (selective batching).
class Orca final : public Scheduler {
  public:
    explicit Orca(const SchedulerSettings& settings) : settings_(settings) {}

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return state.kv().blocks_for(reserved_tokens(request)) <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        step.decode = !state.decoding().empty();
        while (!state.waiting().empty() && state.running() < settings_.max_sequences) {
            const std::uint32_t id = state.waiting().front();
            const std::uint64_t blocks = state.kv().blocks_for(reserved_tokens(state[id]));
            if (blocks > state.kv().free()) break;
            state.admit(blocks);
            step.add_chunk(state, id, state[id].target);
        }
        step.heeds_arrivals = state.waiting().empty();
    }

  private:
    SchedulerSettings settings_;
};

}  // namespace

void register_orca(Registry<SchedulerKind>& registry) {
    registry.add("orca", {.description = "Orca: whole prompts join the decodes, full reservation",
                          .holding = KvHolding::reserved,
                          .defaults = {.max_sequences = 32, .block_tokens = 1},
                          .make = [](const SchedulerSettings& settings) { return std::make_unique<Orca>(settings); },
                          .refusal = {}});
}

}  // namespace plimsoll
