#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// Batches as FasterTransformer runs them behind a queue: what waits when the engine is free, in order and as far as
/// sequences and memory reach, padded to the longest prompt, and worked on until the longest answer is done. Nobody
/// joins and nobody leaves before.
class StaticBatching final : public Scheduler {
  public:
    explicit StaticBatching(const SchedulerSettings& settings) : settings_(settings) {}

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return state.kv().blocks_for(reserved_tokens(request)) <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        if (state.running() == 0)
            start_batch(state, step);
        else
            step.decode = true;
        step.heeds_arrivals = false;
    }

  private:
    struct Batch {
        std::uint32_t count = 0, prompt = 0, output = 0, max_output = 0;
        std::uint64_t blocks_each = 0;
    };

    void start_batch(EngineState& state, Step& step) const {
        Batch batch;
        for (std::uint32_t id = state.waiting().front(); id != no_request; id = state[id].next) {
            const Batch grown = with(batch, state, id);
            if (grown.count > settings_.max_sequences || grown.count * grown.blocks_each > state.kv().blocks()) break;
            batch = grown;
        }
        for (std::uint32_t i = 0; i < batch.count; ++i) {
            const std::uint32_t id = state.waiting().front();
            state.pad(id, batch.prompt, batch.output);
            state.admit(batch.blocks_each);
            step.add_chunk(state, id, batch.prompt);
        }
    }

    static Batch with(Batch batch, const EngineState& state, std::uint32_t id) {
        const Request& request = state[id];
        ++batch.count;
        batch.prompt = std::max(batch.prompt, request.prompt);
        batch.output = std::max(batch.output, request.output);
        batch.max_output = std::max(batch.max_output, request.max_output);
        batch.blocks_each = state.kv().blocks_for(std::uint64_t{batch.prompt} + batch.max_output);
        return batch;
    }

    SchedulerSettings settings_;
};

}  // namespace

void register_static_batching(Registry<SchedulerKind>& registry) {
    registry.add("static-batching",
                 {.description = "FasterTransformer: a padded batch runs until its longest answer is done",
                  .holding = KvHolding::reserved,
                  .defaults = {.max_sequences = 32, .block_tokens = 1},
                  .make = [](const SchedulerSettings& settings) { return std::make_unique<StaticBatching>(settings); },
                  .refusal = {}});
}

}  // namespace plimsoll
