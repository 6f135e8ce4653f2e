#include "simulator/running_first.hpp"

#include <algorithm>
#include <utility>

#include "simulator/block_cache.hpp"

namespace plimsoll {

bool RunningFirst::accepts(const EngineState& state, const Request& request) const {
    return state.kv().blocks_for(stored_at_end(request)) <= state.kv().blocks();
}

RunningFirst::Left RunningFirst::compose_running(EngineState& state, Step& step) const {
    bool preempted = false;
    for (; state.kv().step_need() > visible(state); preempted = true)
        state.preempt_known(state.filling().empty() ? state.decoding().back() : state.filling().back());
    step.decode = !state.decoding().empty();
    // Decodes come first: their blocks are gone before anybody looks for his own among the free ones.
    state.settle_decode();
    std::uint32_t budget = settings_.step_tokens(state) - state.decoding().size();
    // At most one prompt is cut: it is the newest of the running requests.
    if (state.filling().empty() || budget == 0) return {budget, preempted};
    const std::uint32_t id = state.filling().front();
    const std::uint64_t tokens = state[id].prefilled + std::uint64_t{std::min(budget, state.unfilled(id))};
    const std::uint64_t blocks = state.kv().blocks_for(tokens) - state[id].blocks;
    if (blocks > spare(state)) {
        state.preempt_known(id);
        return {budget, true};
    }
    state.take_blocks(id, blocks);
    budget -= add_chunk(state, step, id, budget);
    return {budget, preempted};
}

std::uint32_t RunningFirst::add_chunk(EngineState& state, Step& step, std::uint32_t id, std::uint32_t most) {
    const std::uint32_t tokens = step.add_chunk(state, id, most);
    state.announce(id, state[id].prefilled + tokens);
    return tokens;
}

SchedulerKind running_first_kind(std::string description,
                                 std::function<std::unique_ptr<Scheduler>(const SchedulerSettings&)> make) {
    return {.description = std::move(description),
            .holding = KvHolding::paged,
            .defaults = {.max_sequences = 256, .max_step_tokens = 2048, .prefix_cache = true},
            .make = std::move(make),
            .refusal = budget_below_sequences,
            .prefix_cache = [](const SchedulerSettings& settings) -> std::unique_ptr<PrefixCache> {
                return std::make_unique<BlockCache>(settings.kv_blocks, settings.block_tokens);
            }};
}

}  // namespace plimsoll
