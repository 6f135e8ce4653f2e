#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// TensorRT-LLM's in-flight batching without chunked context: prompts and decodes packed in one step of at most
/// max_step_tokens tokens and max_sequences requests, in order of arrival; a prompt must fit whole.
/// GUARANTEED_NO_EVICT: a request starts only when the blocks of its prompt and of all that it may give are free.
class GuaranteedNoEvict final : public Scheduler {
  public:
    explicit GuaranteedNoEvict(const SchedulerSettings& settings) : settings_(settings) {}

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return request.prompt <= settings_.max_step_tokens &&
               state.kv().blocks_for(reserved_tokens(request)) <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        step.decode = !state.decoding().empty();
        std::uint32_t budget = settings_.step_tokens(state) - state.decoding().size();
        while (!state.waiting().empty() && state.running() < settings_.max_sequences) {
            const std::uint32_t id = state.waiting().front();
            const std::uint64_t blocks = state.kv().blocks_for(reserved_tokens(state[id]));
            if (state.unfilled(id) > budget || blocks > state.kv().free()) break;
            state.admit(blocks);
            budget -= step.add_chunk(state, id, budget);
        }
        step.heeds_arrivals = state.waiting().empty();
    }

  private:
    SchedulerSettings settings_;
};

/// MAX_UTILIZATION: a request starts when the blocks of its prompt are free beside those of the next decode; when the
/// decodes find none the newest request is paused, to be computed again, and nobody starts in that step.
class MaxUtilization final : public Scheduler {
  public:
    explicit MaxUtilization(const SchedulerSettings& settings) : settings_(settings) {}

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return stored_at_end(request) <= settings_.max_step_tokens &&
               state.kv().blocks_for(stored_at_end(request)) <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        const bool paused = state.make_room_for_decode() > 0;
        step.decode = !state.decoding().empty();
        std::uint32_t budget = settings_.step_tokens(state) - state.decoding().size();
        while (!paused && !state.waiting().empty() && state.running() < settings_.max_sequences) {
            const std::uint32_t id = state.waiting().front();
            const std::uint64_t blocks = state.kv().blocks_for(state[id].target);
            if (state.unfilled(id) > budget || blocks + state.kv().step_need() > state.kv().free()) break;
            state.admit(blocks);
            budget -= step.add_chunk(state, id, budget);
        }
        if (paused) step.steady = 1;
        step.heeds_arrivals = state.waiting().empty();
    }

  private:
    SchedulerSettings settings_;
};

}  // namespace

void register_tensorrt_llm(Registry<SchedulerKind>& registry) {
    const SchedulerSettings defaults{.max_sequences = 2048, .max_step_tokens = 8192, .block_tokens = 32};
    registry.add(
        "tensorrt-llm",
        {.description = "TensorRT-LLM, GUARANTEED_NO_EVICT: in-flight batching, full reservation",
         .holding = KvHolding::reserved,
         .defaults = defaults,
         .make = [](const SchedulerSettings& settings) { return std::make_unique<GuaranteedNoEvict>(settings); },
         .refusal = budget_below_sequences});
    registry.add("tensorrt-llm-max-utilization",
                 {.description = "TensorRT-LLM, MAX_UTILIZATION: in-flight batching, newest request paused",
                  .holding = KvHolding::paged,
                  .defaults = defaults,
                  .make = [](const SchedulerSettings& settings) { return std::make_unique<MaxUtilization>(settings); },
                  .refusal = budget_below_sequences});
}

}  // namespace plimsoll
