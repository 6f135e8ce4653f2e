#include <optional>

#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// Text Generation Inference without prompt chunking (backend.rs, queue.rs): before each decode step the queue is
/// looked at. New requests are prefilled alone, in order until one does not fit, when at least waiting_served_ratio x
/// batch of them are there and fit, or any number when max_waiting_tokens decode steps have passed since the last
/// prefill. A prompt and all tokens asked for are reserved, so nothing is ever preempted.
class Tgi final : public Scheduler {
  public:
    explicit Tgi(const SchedulerSettings& settings) : settings_(settings) {}

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return request.prompt <= settings_.max_step_tokens &&
               state.kv().blocks_for(reserved_tokens(request)) <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        const bool fresh = state.decoding().empty();
        if (fresh) decode_owed_ = false;
        if (!decode_owed_) look_at_queue(state, step, fresh);
        if (!step.chunks.empty()) {
            // A prefill beside a running batch is followed by a decode of all before the queue is looked at again.
            decode_owed_ = !fresh;
            last_prefill_ = state.decode_steps();
            return;
        }
        step.decode = !fresh;
        if (decode_owed_)
            step.steady = 1;
        else if (!state.waiting().empty() && waiting_tokens(state) < settings_.max_waiting_tokens)
            step.steady = settings_.max_waiting_tokens - waiting_tokens(state);
        else
            step.heeds_arrivals = state.waiting().empty();
        decode_owed_ = false;
    }

    void reset() override { decode_owed_ = false; }

  private:
    /// As the router counts: 1 after a prefill, one more a decode step.
    [[nodiscard]] std::uint64_t waiting_tokens(const EngineState& state) const {
        return 1 + state.decode_steps() - last_prefill_;
    }

    void look_at_queue(EngineState& state, Step& step, bool fresh) const {
        std::uint32_t least = 1;
        if (!fresh && waiting_tokens(state) < settings_.max_waiting_tokens)
            least =
                std::max(least, static_cast<std::uint32_t>(settings_.waiting_served_ratio * state.decoding().size()));
        const std::uint32_t count = fitting(state, least);
        if (count < least) return;
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::uint32_t id = state.waiting().front();
            state.admit(state.kv().blocks_for(reserved_tokens(state[id])));
            step.add_chunk(state, id, state[id].target);
        }
    }

    /// Requests at the head of the queue that fit together; 0 when fewer than `least` wait.
    [[nodiscard]] std::uint32_t fitting(const EngineState& state, std::uint32_t least) const {
        if (state.waiting().size() < least) return 0;
        std::uint32_t count = 0;
        std::uint64_t tokens = 0, blocks = 0;
        for (std::uint32_t id = state.waiting().front(); id != no_request; id = state[id].next, ++count) {
            tokens += state.unfilled(id);
            blocks += state.kv().blocks_for(reserved_tokens(state[id]));
            if (tokens > settings_.step_tokens(state) || blocks > state.kv().free() ||
                state.running() + count >= settings_.max_sequences)
                break;
        }
        return count;
    }

    SchedulerSettings settings_;
    bool decode_owed_ = false;
    std::uint64_t last_prefill_ = 0;
};

}  // namespace

void register_tgi(Registry<SchedulerKind>& registry) {
    registry.add("tgi", {.description = "Text Generation Inference: prefill alone by ratio or wait, full reservation",
                         .holding = KvHolding::reserved,
                         .defaults = {.max_sequences = 128,
                                      .max_step_tokens = 4096,
                                      .block_tokens = 1,
                                      .waiting_served_ratio = 0.3,
                                      .max_waiting_tokens = 20},
                         .make = [](const SchedulerSettings& settings) { return std::make_unique<Tgi>(settings); },
                         .refusal = {}});
}

}  // namespace plimsoll
