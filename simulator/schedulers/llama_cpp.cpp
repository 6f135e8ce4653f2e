#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// llama.cpp's server with a split cache: a fixed number of slots that each own an equal share of the KV cells; a
/// request waits for a free slot. Every loop makes one batch of at most n_batch (max_step_tokens) tokens: one for each
/// generating slot, then the prompts in order; it is run in pieces of n_ubatch tokens and all of it is waited for.
class LlamaCpp final : public Scheduler {
  public:
    explicit LlamaCpp(const SchedulerSettings& settings) : settings_(settings) {}

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return state.kv().blocks_for(stored_at_end(request)) <= slot_blocks(state);
    }

    void compose(EngineState& state, Step& step) override {
        while (!state.waiting().empty() && state.running() < settings_.max_sequences) state.admit(slot_blocks(state));
        step.decode = !state.decoding().empty();
        step.piece_tokens = settings_.ubatch_tokens;
        std::uint32_t budget = settings_.step_tokens(state) - state.decoding().size();
        for (std::uint32_t id = state.filling().front(); id != no_request && budget > 0; id = state[id].next)
            budget -= step.add_chunk(state, id, budget);
        step.heeds_arrivals = state.running() < settings_.max_sequences;
    }

  private:
    [[nodiscard]] std::uint64_t slot_blocks(const EngineState& state) const {
        return state.kv().blocks() / settings_.max_sequences;
    }

    SchedulerSettings settings_;
};

}  // namespace

void register_llama_cpp(Registry<SchedulerKind>& registry) {
    registry.add("llama-cpp",
                 {.description = "llama.cpp server: slots, batches of n_batch tokens in pieces of n_ubatch",
                  .holding = KvHolding::reserved,
                  .defaults = {.max_sequences = 4, .max_step_tokens = 2048, .block_tokens = 1, .ubatch_tokens = 512},
                  .make = [](const SchedulerSettings& settings) { return std::make_unique<LlamaCpp>(settings); },
                  .refusal = [](const SchedulerSettings& settings) -> std::optional<std::string> {
                      if (settings.ubatch_tokens != 0 && settings.ubatch_tokens < settings.max_sequences)
                          return "a piece of a batch (n_ubatch) must hold one token of every slot";
                      return budget_below_sequences(settings);
                  }});
}

}  // namespace plimsoll
