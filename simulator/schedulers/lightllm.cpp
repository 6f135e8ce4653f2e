#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// LightLLM (router/manager.py, req_queue): KV by the token. A waiting request is admitted, in order, while the peak
/// that the pool would reach if every request used all it asked for stays below the pool: with the requests sorted by
/// remaining tokens, longest first, max over k of (remaining_k x k + tokens held by the first k). Prompts are prefilled
/// alone; the queue is looked at after max_waiting_tokens decode steps since the last prefill (0: every time).
class LightLlm final : public Scheduler {
  public:
    explicit LightLlm(const SchedulerSettings& settings) : settings_(settings) {
        needs_.reserve(settings.max_sequences + 1);
    }

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return request.prompt <= settings_.max_step_tokens &&
               request.prompt + 1 + remaining(request, 0) < pool_tokens(state);
    }

    void compose(EngineState& state, Step& step) override {
        const bool fresh = state.decoding().empty();
        const std::uint64_t waited = state.decode_steps() - last_prefill_;
        if (fresh || waited >= settings_.max_waiting_tokens) gather_prompts(state, step);
        if (!step.chunks.empty()) {
            last_prefill_ = state.decode_steps();
            return;
        }
        step.decode = !fresh;
        if (state.waiting().empty()) return;
        step.heeds_arrivals = false;
        step.steady = waited < settings_.max_waiting_tokens ? settings_.max_waiting_tokens - waited : blocked_for_;
    }

  private:
    struct Need {
        std::uint64_t remaining, held;
    };

    static std::uint64_t pool_tokens(const EngineState& state) {
        return state.kv().blocks() * state.kv().block_tokens();
    }
    /// Tokens to come at the most, with the router's margin of 6.
    static std::uint64_t remaining(const Request& request, std::uint32_t generated) {
        return request.max_output - generated + std::uint64_t{5};
    }

    void gather_prompts(EngineState& state, Step& step) {
        blocked_for_ = unlimited_steps;
        if (state.waiting().empty()) return;
        needs_.clear();
        for (std::uint32_t id = state.decoding().front(); id != no_request; id = state[id].next) add_need(state, id);
        std::sort(needs_.begin(), needs_.end(), before);
        std::uint64_t tokens = 0;
        while (!state.waiting().empty() && state.running() < settings_.max_sequences) {
            const std::uint32_t id = state.waiting().front();
            tokens += state.unfilled(id);
            add_need(state, id);
            if (tokens > settings_.step_tokens(state)) break;
            if (const std::uint64_t most = peak(), pool = pool_tokens(state); most >= pool) {
                // A decode step of the others lowers the peak by one token at most while the request's own promise
                // reaches that far: it cannot fit before.
                blocked_for_ = std::min(most - pool + 1, remaining(state[id], state.generated(id)));
                break;
            }
            state.admit(state.kv().blocks_for(state[id].target));
            step.add_chunk(state, id, state[id].target);
        }
    }

    void add_need(const EngineState& state, std::uint32_t id) {
        const std::uint32_t generated = state.generated(id);
        const Need need{remaining(state[id], generated), std::uint64_t{state[id].prompt} + generated + 1};
        if (state[id].phase == Request::Phase::decoding)
            needs_.push_back(need);
        else
            needs_.insert(std::upper_bound(needs_.begin(), needs_.end(), need, before), need);
    }
    static bool before(const Need& a, const Need& b) { return a.remaining > b.remaining; }

    [[nodiscard]] std::uint64_t peak() const {
        std::uint64_t most = 0, held = 0, count = 0;
        for (const Need& need : needs_) {
            held += need.held;
            most = std::max(most, need.remaining * ++count + held);
        }
        return most;
    }

    SchedulerSettings settings_;
    std::vector<Need> needs_;
    std::uint64_t last_prefill_ = 0;
    std::uint64_t blocked_for_ = unlimited_steps;
};

}  // namespace

void register_lightllm(Registry<SchedulerKind>& registry) {
    registry.add("lightllm",
                 {.description = "LightLLM: KV by the token, admission by the peak that all promises would reach",
                  .holding = KvHolding::paged,
                  .defaults = {.max_sequences = 1000, .max_step_tokens = 8448, .block_tokens = 1},
                  .make = [](const SchedulerSettings& settings) { return std::make_unique<LightLlm>(settings); },
                  .refusal = [](const SchedulerSettings& settings) -> std::optional<std::string> {
                      if (settings.block_tokens == 1) return std::nullopt;
                      return "LightLLM keeps its KV by the token: block_tokens must be 1";
                  }});
}

}  // namespace plimsoll
