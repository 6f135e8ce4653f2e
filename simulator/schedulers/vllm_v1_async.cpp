#include "simulator/free_blocks.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// vLLM V1 as it is since asynchronous scheduling is its default (v1/engine/core.py, step_with_batch_queue): a step is
/// composed while the one before it runs, so it knows only what was known one step earlier: a request that arrives
/// while a step runs waits for the end of the next one too, and so do the blocks of one that ends. Beside that the
/// rules of V1, with two of its later defaults: a waiting request needs free blocks for all its tokens, not for its
/// chunk alone (scheduler_reserve_full_isl), and a preempted one finds in the prefix cache what nobody has used since.
/// Different requests share nothing here.
class VllmV1Async final : public Scheduler {
  public:
    explicit VllmV1Async(const SchedulerSettings& settings)
        : settings_(settings), free_(settings.kv_blocks), pool_(settings.kv_blocks, settings.block_tokens) {
        reset();
    }

    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const override {
        return state.kv().blocks_for(stored_at_end(request)) <= state.kv().blocks();
    }

    void compose(EngineState& state, Step& step) override {
        account(state);
        bool preempted = false;
        for (; state.kv().step_need() > visible(state); preempted = true)
            preempt(state, state.filling().empty() ? state.decoding().back() : state.filling().back());
        step.decode = !state.decoding().empty();
        // Decodes come first: their blocks are gone before anybody looks for his own among the free ones.
        paid_ = state.kv().step_need();
        free_.take(paid_);
        std::uint32_t budget = settings_.max_step_tokens - state.decoding().size();
        // At most one prompt is cut: it is the newest of the running requests.
        if (!state.filling().empty() && budget > 0) {
            const std::uint32_t id = state.filling().front();
            const std::uint64_t blocks = blocks_for_chunk(state, id, budget);
            if (blocks > spare(state)) {
                preempted = true;
                preempt(state, id);
            } else {
                free_.take(blocks);
                state.take_blocks(id, blocks);
                budget -= step.add_chunk(state, id, budget);
            }
        }
        if (!preempted) admit_waiting(state, step, budget);
        if (state.running() == 0) start_anew(state, step);
        const bool news = ended_ > 0 || (!state.waiting().empty() && newest(state) >= known_);
        if (preempted || (news && !state.waiting().empty())) step.steady = 1;
        step.heeds_arrivals = state.waiting().empty();
        remember(state);
    }

    void reset() override {
        free_ = FreeBlocks(settings_.kv_blocks);
        pool_ = KvPool(settings_.kv_blocks, settings_.block_tokens);
        steps_ = known_ = ended_ = paid_ = 0;
        running_ = 0;
    }

  private:
    /// What the steps since the last composition took and what requests gave that ended with the last of them.
    void account(const EngineState& state) {
        free_.take(pool_.need(state.decode_steps() - steps_) - paid_);
        ended_ = state.kv().free() - free_.count();
        free_.give(FreeBlocks::nobody, ended_);
        left_ = running_ - state.running();
    }
    void remember(const EngineState& state) {
        if (!state.waiting().empty()) known_ = std::max(known_, newest(state) + 1);
        pool_ = state.kv();
        steps_ = state.decode_steps();
        running_ = state.running();
    }
    static std::uint64_t newest(const EngineState& state) { return state[state.waiting().back()].sequence; }
    [[nodiscard]] std::uint64_t visible(const EngineState& state) const { return state.kv().free() - ended_; }
    /// What the decodes of the step leave.
    [[nodiscard]] std::uint64_t spare(const EngineState& state) const {
        return visible(state) - state.kv().step_need();
    }

    /// Only full blocks can be found again; what is computed of the last one comes first in the queue.
    void preempt(EngineState& state, std::uint32_t id) {
        const std::uint64_t before = state.kv().free();
        const bool filling = state[id].phase == Request::Phase::filling;
        const std::uint32_t prefilled = state[id].prefilled;
        state.preempt(id);
        const std::uint32_t computed = filling ? prefilled : state[id].target - 1;
        const std::uint64_t blocks = state.kv().free() - before, full = computed / state.kv().block_tokens();
        free_.give(FreeBlocks::nobody, blocks - full);
        free_.give(state[id].sequence, full);
    }

    /// Nothing runs: nothing is composed ahead.
    void start_anew(EngineState& state, Step& step) {
        ended_ = left_ = 0;
        admit_waiting(state, step, settings_.max_step_tokens);
    }

    void admit_waiting(EngineState& state, Step& step, std::uint32_t budget) {
        const bool idle = state.running() == 0;
        while (budget > 0 && !state.waiting().empty() && state.running() + left_ < settings_.max_sequences) {
            const std::uint32_t id = state.waiting().front();
            if (state[id].sequence >= known_ && !idle) break;
            if (state.kv().blocks_for(state[id].target) > spare(state)) break;
            budget -= admit(state, step, id, budget);
        }
    }

    std::uint32_t admit(EngineState& state, Step& step, std::uint32_t id, std::uint32_t budget) {
        const std::uint64_t owner = state[id].sequence, kept = free_.kept(owner);
        const auto found = static_cast<std::uint32_t>(kept * state.kv().block_tokens());
        const std::uint32_t cached = std::max(state[id].prefilled, found);
        const std::uint32_t tokens = std::min(budget, state[id].target - cached);
        const std::uint64_t blocks = state.kv().blocks_for(std::uint64_t{cached} + tokens);
        free_.take_back(owner);
        free_.take(blocks - kept);
        state.admit(blocks, cached);
        known_ = std::max(known_, owner + 1);
        return step.add_chunk(state, id, tokens);
    }

    static std::uint64_t blocks_for_chunk(const EngineState& state, std::uint32_t id, std::uint32_t budget) {
        const std::uint64_t tokens = state[id].prefilled + std::uint64_t{std::min(budget, state.unfilled(id))};
        return state.kv().blocks_for(tokens) - state[id].blocks;
    }

    SchedulerSettings settings_;
    FreeBlocks free_;
    // As the last composition left it:
    KvPool pool_;
    std::uint64_t steps_ = 0;    ///< decode steps
    std::uint64_t paid_ = 0;     ///< blocks of the next decode step, taken already
    std::uint64_t known_ = 0;    ///< requests with a lower sequence number had come
    std::uint32_t running_ = 0;  ///< requests
    // Of requests that ended with the last step, which the next one does not know of:
    std::uint64_t ended_ = 0;  ///< blocks
    std::uint32_t left_ = 0;   ///< requests
};

}  // namespace

void register_vllm_v1_async(Registry<SchedulerKind>& registry) {
    registry.add("vllm-v1-async",
                 {.description = "vLLM 0.14 on: V1, each step composed while the one before it runs",
                  .holding = KvHolding::paged,
                  .defaults = {.max_sequences = 256, .max_step_tokens = 2048},
                  .make = [](const SchedulerSettings& settings) { return std::make_unique<VllmV1Async>(settings); },
                  .refusal = budget_below_sequences});
}

}  // namespace plimsoll
