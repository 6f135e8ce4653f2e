#include "simulator/running_first.hpp"

namespace plimsoll {
namespace {

/// vLLM V1: after the running requests, unless something was preempted, the waiting ones in order, the last cut to what
/// is left of the budget. The prefix cache is asked when a request is admitted.
class VllmV1 final : public RunningFirst {
  public:
    explicit VllmV1(const SchedulerSettings& settings) : RunningFirst(settings) {}

    void compose(EngineState& state, Step& step) override {
        const Left left = compose_running(state, step);
        if (left.preempted)
            step.steady = 1;
        else
            admit_waiting(state, step, left.tokens);
        step.heeds_arrivals = state.waiting().empty();
    }

  private:
    [[nodiscard]] std::uint64_t visible(const EngineState& state) const override { return state.kv().free(); }

    void admit_waiting(EngineState& state, Step& step, std::uint32_t budget) const {
        while (budget > 0 && !state.waiting().empty() && state.running() < settings().max_sequences) {
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
};

}  // namespace

void register_vllm_v1(Registry<SchedulerKind>& registry) {
    registry.add("vllm-v1", running_first_kind(
                                "vLLM 0.8 on: running requests, then waiting ones, in one token budget",
                                [](const SchedulerSettings& settings) { return std::make_unique<VllmV1>(settings); }));
}

}  // namespace plimsoll
