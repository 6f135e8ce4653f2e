#include <algorithm>

#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// vLLM before V1, without chunked prefill (core/scheduler.py): waiting prompts first, alone in their step, in order of
/// arrival until the token budget, the sequences or the blocks run out; otherwise one decode of all. A prompt takes
/// its own blocks only, leaving the watermark free; the newest request gives way when a decode finds no block.
class VllmV0 final : public Scheduler {
  public:
    explicit VllmV0(const SchedulerSettings& settings)
        : settings_(settings),
          watermark_(static_cast<std::uint64_t>(settings.watermark * static_cast<double>(settings.kv_blocks))) {}

    /// The engine demands a budget of at least the longest sequence, so that every recomputation fits a step.
    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        const std::uint64_t longest = request.prompt + std::uint64_t{request.output} - 1;
        return longest <= settings_.max_step_tokens &&
               state.kv().blocks_for(longest) + watermark_ <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        gather_prompts(state, step);
        if (!step.chunks.empty()) return;
        if (state.make_room_for_decode() > 0) step.steady = 1;
        step.decode = !state.decoding().empty();
        step.heeds_arrivals = state.waiting().empty();
    }

  private:
    void gather_prompts(EngineState& state, Step& step) const {
        std::uint64_t tokens = 0, longest = 0;
        while (!state.waiting().empty() && state.running() < settings_.max_sequences) {
            const std::uint32_t id = state.waiting().front();
            const std::uint32_t prompt = state[id].target;
            longest = std::max<std::uint64_t>(longest, prompt);
            tokens += prompt;
            const std::uint64_t taken = settings_.padded_prefill ? longest * (step.chunks.size() + 1) : tokens;
            const std::uint64_t blocks = state.kv().blocks_for(prompt);
            if (taken > settings_.max_step_tokens || blocks + watermark_ > state.kv().free()) break;
            state.admit(blocks);
            step.chunks.push_back({id, prompt, 0});
        }
    }

    SchedulerSettings settings_;
    std::uint64_t watermark_;
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
