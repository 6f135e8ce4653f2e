#include "simulator/running_first.hpp"

namespace plimsoll {
namespace {

/// vLLM V1 as it is since asynchronous scheduling is its default (v1/engine/core.py, step_with_batch_queue): a step is
/// composed while the one before it runs, so it knows only what was known one step earlier: a request that arrives
/// while a step runs waits for the end of the next one too, and so do the blocks of one that ends. Beside that the
/// rules of V1, with one of its later defaults: a waiting request needs free blocks for all its tokens, not for its
/// chunk alone (scheduler_reserve_full_isl).
class VllmV1Async final : public RunningFirst {
  public:
    explicit VllmV1Async(const SchedulerSettings& settings) : RunningFirst(settings) {}

    void compose(EngineState& state, Step& step) override {
        ended_ = state.freed() - freed_;
        left_ = running_ - state.running();
        const Left left = compose_running(state, step);
        if (!left.preempted) admit_waiting(state, step, left.tokens);
        if (state.running() == 0) start_anew(state, step);
        const bool news = ended_ > 0 || (!state.waiting().empty() && newest(state) >= known_);
        if (left.preempted || (news && !state.waiting().empty())) step.steady = 1;
        step.heeds_arrivals = state.waiting().empty();
        remember(state);
    }

    void reset() override { freed_ = known_ = ended_ = running_ = left_ = 0; }

  private:
    void remember(EngineState& state) {
        if (!state.waiting().empty()) known_ = std::max(known_, newest(state) + 1);
        freed_ = state.freed();
        running_ = state.running();
        state.mark_freed();
    }
    static std::uint64_t newest(const EngineState& state) { return state[state.waiting().back()].sequence; }
    [[nodiscard]] std::uint64_t visible(const EngineState& state) const override { return state.kv().free() - ended_; }

    /// Nothing runs: nothing is composed ahead.
    void start_anew(EngineState& state, Step& step) {
        ended_ = left_ = 0;
        state.mark_freed();
        admit_waiting(state, step, settings().step_tokens(state));
    }

    void admit_waiting(EngineState& state, Step& step, std::uint32_t budget) {
        const bool idle = state.running() == 0;
        while (budget > 0 && !state.waiting().empty() && state.running() + left_ < settings().max_sequences) {
            const std::uint32_t id = state.waiting().front();
            if (state[id].sequence >= known_ && !idle) break;
            const PrefixHit hit = state.find_prefix(id);
            const std::uint64_t all = state.kv().blocks_for(state[id].target);
            if (EngineState::blocks_taken(all, hit) - hit.hidden > spare(state)) break;
            const std::uint32_t unfilled = state.unfilled(id, hit), held = state[id].target - unfilled;
            state.admit(state.kv().blocks_for(std::uint64_t{held} + std::min(budget, unfilled)), hit);
            ended_ -= hit.hidden;
            known_ = std::max(known_, state[id].sequence + 1);
            budget -= add_chunk(state, step, id, budget);
        }
    }

    // As the last composition left it:
    std::uint64_t freed_ = 0;    ///< blocks, by requests that had ended
    std::uint64_t known_ = 0;    ///< requests with a lower sequence number had come
    std::uint32_t running_ = 0;  ///< requests
    // Of requests that ended with the last step, which the next one does not know of:
    std::uint64_t ended_ = 0;  ///< blocks
    std::uint32_t left_ = 0;   ///< requests
};

}  // namespace

void register_vllm_v1_async(Registry<SchedulerKind>& registry) {
    registry.add(
        "vllm-v1-async",
        running_first_kind("vLLM 0.14 on: V1, each step composed while the one before it runs",
                           [](const SchedulerSettings& settings) { return std::make_unique<VllmV1Async>(settings); }));
}

}  // namespace plimsoll
