#include "simulator/radix_cache.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// SGLang (managers/scheduler.py, schedule_policy.py; first come first served): a prefill step of waiting prompts
/// whenever one may start, else a decode of all. A prefill step has chunk_tokens, the last prompt is cut to them and
/// goes on in the next. A request starts while its prompt and all it asks for are less than the free tokens, minus what
/// was promised in this step, minus new_token_ratio x what the running ones may still ask for; that share decays with
/// every decode step, rises when memory ran out, and starts anew when the engine is idle. Once a request did not fit
/// nobody else is tried until one leaves. What the radix cache has of a request need not be free, but is no longer
/// there for others to evict. A decode without memory retracts the requests with the fewest tokens (the
/// longest prompt first) until every other has room for 20 more; they go to the end of the queue.
class Sglang final : public Scheduler {
  public:
    explicit Sglang(const SchedulerSettings& settings)
        : settings_(settings),
          decay_((settings.new_token_ratio - settings.least_new_token_ratio) / settings.new_token_ratio_decay_steps) {
        reset();
    }

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return reserved_tokens(request) < state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        if (state.running() < running_) full_ = false;
        if (state.running() == 0) reset(state.decode_steps());
        if (!full_ || !state.filling().empty()) prefill(state, step);
        state.settle();
        if (step.chunks.empty()) decode(state, step);
        running_ = state.running();
    }

    void reset() override { reset(0); }

  private:
    static constexpr std::uint32_t most_counted = 4096;  ///< of the tokens that a request asks for
    static constexpr std::uint32_t headroom = 20;        ///< tokens for each request that stays, after a retraction

    void reset(std::uint64_t steps) {
        full_ = false;
        running_ = 0;
        set_ratio(settings_.new_token_ratio, steps);
    }
    void set_ratio(double ratio, std::uint64_t steps) {
        ratio_ = ratio;
        ratio_set_at_ = steps;
    }
    [[nodiscard]] double ratio(const EngineState& state) const {
        const auto steps = static_cast<double>(state.decode_steps() - ratio_set_at_);
        return std::max(std::min(settings_.least_new_token_ratio, ratio_), ratio_ - decay_ * steps);
    }

    void prefill(EngineState& state, Step& step) {
        double room = static_cast<double>(state.kv().free()) - ratio(state) * still_promised(state);
        std::uint32_t budget = settings_.chunked_step_tokens(state);
        if (!state.filling().empty()) {
            const std::uint32_t id = state.filling().front();
            const std::uint32_t cut = room < budget ? static_cast<std::uint32_t>(std::max(room, 0.0)) : budget;
            if (cut == 0) return;
            const std::uint32_t added = add(state, step, id, cut);
            budget -= added;
            room -= added + (added == state.unfilled(id) ? promised(state, id) : 0.0);
        }
        while (budget > 0 && !state.waiting().empty() && !full_) {
            const std::uint32_t id = state.waiting().front();
            full_ = state.running() >= settings_.max_sequences;
            if (full_) return;
            const PrefixHit hit = state.find_prefix(id);
            const auto target = static_cast<double>(EngineState::blocks_taken(state[id].target, hit));
            const double asked = target + promised(state, id);
            full_ = asked >= room;
            const std::uint32_t unfilled = state.unfilled(id, hit);
            const bool whole = unfilled <= budget;
            if (full_ || (!whole && settings_.chunk_tokens == 0 && !step.chunks.empty())) return;
            state.admit(hit.blocks, hit);
            const std::uint32_t added = add(state, step, id, settings_.chunk_tokens == 0 ? unfilled : budget);
            room -= whole ? asked : target - (unfilled - added);
            budget -= std::min(budget, added);
        }
    }

    /// Gives a filling request the blocks of its next chunk and puts that into the step.
    static std::uint32_t add(EngineState& state, Step& step, std::uint32_t id, std::uint32_t most) {
        const std::uint32_t next = std::min(most, state.unfilled(id));
        state.take_blocks(id, state[id].prefilled + std::uint64_t{next} - state[id].blocks);
        return step.add_chunk(state, id, most);
    }

    static double promised(const EngineState& state, std::uint32_t id) {
        return std::min(state[id].max_output - state.generated(id), most_counted);
    }
    static double still_promised(const EngineState& state) {
        double sum = 0;
        for (std::uint32_t id = state.decoding().front(); id != no_request; id = state[id].next)
            sum += promised(state, id);
        return sum;
    }

    void decode(EngineState& state, Step& step) {
        if (state.kv().step_need() > state.kv().free()) {
            state.empty_blocks(state.kv().step_need());
            retract(state);
            full_ = false;
            step.steady = 1;
        }
        step.decode = !state.decoding().empty();
        step.heeds_arrivals = !full_;
        // A prompt that could not go on may do so as the ratio decays.
        if (!state.filling().empty()) step.steady = 1;
    }

    void retract(EngineState& state) {
        do {
            if (state.decoding().size() == 1) {
                // The rest of the memory then belongs to the prompt that is being cut into chunks.
                if (state.kv().step_need() > state.kv().free()) state.preempt(state.filling().front(), false);
                break;
            }
            state.preempt(least_advanced(state), false);
            state.empty_blocks(std::uint64_t{headroom} * state.decoding().size());
        } while (state.kv().free() < std::uint64_t{headroom} * state.decoding().size());
        double given = 0, asked = 0;
        for (std::uint32_t id = state.decoding().front(); id != no_request; id = state[id].next) {
            given += state.generated(id) + headroom;
            asked += state[id].max_output;
        }
        // The decode of this very step does not lower it.
        set_ratio(std::min(1.0, given / asked), state.decode_steps() + 1);
    }

    static std::uint32_t least_advanced(const EngineState& state) {
        std::uint32_t least = state.decoding().front();
        for (std::uint32_t id = least; id != no_request; id = state[id].next) {
            const std::uint32_t a = state.generated(id), b = state.generated(least);
            if (a < b || (a == b && state[id].prompt >= state[least].prompt)) least = id;
        }
        return least;
    }

    SchedulerSettings settings_;
    double decay_;
    double ratio_ = 0;
    std::uint64_t ratio_set_at_ = 0;
    bool full_ = false;
    std::uint32_t running_ = 0;
};

}  // namespace

void register_sglang(Registry<SchedulerKind>& registry) {
    registry.add("sglang",
                 {.description = "SGLang: prefill first in chunks, admission by a share of the promised tokens",
                  .holding = KvHolding::paged,
                  .defaults = {.max_sequences = 4096,
                               .max_step_tokens = 16384,
                               .block_tokens = 1,
                               .prefix_cache = true,
                               .chunk_tokens = 8192,
                               .new_token_ratio = 0.7,
                               .least_new_token_ratio = 0.098,
                               .new_token_ratio_decay_steps = 600},
                  .make = [](const SchedulerSettings& settings) { return std::make_unique<Sglang>(settings); },
                  .refusal = [](const SchedulerSettings& settings) -> std::optional<std::string> {
                      if (settings.block_tokens == 1) return std::nullopt;
                      return "SGLang is modelled with its default page_size: block_tokens must be 1";
                  },
                  .prefix_cache = [](const SchedulerSettings& settings) -> std::unique_ptr<PrefixCache> {
                      return std::make_unique<RadixCache>(settings.kv_blocks);
                  }});
}

}  // namespace plimsoll
