#include "simulator/replica.hpp"

#include <algorithm>

#include "model/cost/step_cost.hpp"

namespace plimsoll {

Replica::Replica(RequestTable& requests, const StepTimer& timer, const SchedulerKind& kind,
                 const SchedulerSettings& settings, std::uint32_t index)
    : requests_(requests),
      timer_(timer),
      state_(requests, settings.kv_blocks, settings.block_tokens, kind.holding, kind.make_prefix_cache(settings)),
      scheduler_(kind.make(settings)),
      index_(index),
      batches_(static_cast<int>(settings.batches)),
      batch_tokens_(settings.max_step_tokens),
      stage_free_at_(settings.batches),
      left_at_(settings.batches) {
    step_.chunks.reserve(settings.max_sequences);
    piece_.reserve(settings.max_sequences);
    out_at_.reserve(settings.max_sequences);
    finished_.reserve(2 * std::size_t{settings.max_sequences});
    cancelled_.reserve(settings.max_sequences);
}

bool Replica::submit(std::uint32_t id, Seconds now) {
    requests_[id].replica = index_;
    if (!scheduler_->accepts(state_, requests_[id])) return false;
    state_.enqueue(id);
    if (!busy_) {
        due_ = std::min(due_, now);
    } else if (step_.heeds_arrivals) {
        cut_short(now);
    }
    return true;
}

void Replica::cancel(std::uint32_t id, Seconds now) {
    cancelled_.push_back(id);
    if (busy_)
        cut_short(now);
    else
        due_ = std::min(due_, now);
}

/// Ends a jump with the first step that ends at `now` or later.
void Replica::cut_short(Seconds now) {
    if (stride_.steps == 1) return;
    const std::uint64_t steps = stride_.piece.steps_until(stride_.start, now, stride_.steps);
    if (steps == stride_.steps) return;
    stride_.steps = steps;
    stride_.end = stride_.start + stride_.piece.total(steps);
}

/// Takes out the cancelled requests that have not finished meanwhile.
void Replica::drop_cancelled() {
    for (const std::uint32_t id : cancelled_) {
        if (requests_[id].phase == Request::Phase::done) continue;
        state_.remove(id);
        finished_.push_back(id);
    }
    cancelled_.clear();
}

std::span<const std::uint32_t> Replica::advance(Observer* observer) {
    finished_.clear();
    if (busy_)
        end(observer);
    else if (!cancelled_.empty())
        drop_cancelled();
    else
        begin();
    return finished_;
}

void Replica::begin() {
    state_.advance_clock(due_);
    step_.clear();
    const std::uint64_t preempted_before = state_.preemptions();
    // Such prompts go from stage to stage batch by batch, not in rounds of all.
    state_.compose_for(state_.prompts_only() ? 1 : static_cast<std::uint32_t>(batches_));
    scheduler_->compose(state_, step_);
    if (step_.chunks.empty() && !step_.decode) {
        due_ = step_.wake;
        return;
    }
    stride_ = {.replica = index_, .start = due_, .steps = 1};
    stride_.preempted = static_cast<std::uint32_t>(state_.preemptions() - preempted_before);
    stride_.prompt_chunks = static_cast<std::uint32_t>(step_.chunks.size());
    if (step_.decode) {
        stride_.decodes = state_.decoding().size();
        stride_.context = state_.context();
    }
    for (const PromptChunk& chunk : step_.chunks) {
        stride_.prompt_tokens += chunk.tokens;
        state_.mark_scheduled(chunk.request);
    }
    if (step_.chunks.empty())
        begin_decode();
    else
        begin_prompts();
    busy_ = true;
}

/// Jumps as far as nothing changes: to the first completion, the last step whose KV blocks are free, the end of the
/// formula for the step time, or of the scheduler's decision.
void Replica::begin_decode() {
    stride_.piece = timer_.decode(stride_.decodes, stride_.context);
    stride_.steps = std::min({state_.steps_to_first_finish(), step_.steady, stride_.piece.steps});
    if (step_.added > Seconds{}) {
        stride_.piece.first += step_.added;
        stride_.steps = 1;
    }
    if (state_.kv().need(stride_.steps) > state_.kv().free())
        stride_.steps = std::min(stride_.steps, state_.kv().steps_that_fit());
    PLIMSOLL_ASSERT(stride_.steps >= 1);
    stride_.end = stride_.start + stride_.piece.total(stride_.steps);
}

/// One step. Where prompts go alone in a pipeline, a round of the other batches is gained meanwhile.
void Replica::begin_prompts() {
    out_at_.clear();
    if (passes()) return begin_pass();
    Seconds time = mixed_time();
    if (batches_ > 1 && !step_.decode && !state_.decoding().empty()) {
        const Seconds decode = timer_.decode(state_.decoding().size(), state_.context()).first;
        const Seconds stall = prefill_stall(time, decode, batches_);
        stride_.late = std::max(time, decode) - stall;
        time = stall;
    }
    stride_.end = stride_.start + time + step_.added;
}

void Replica::end(Observer* observer) {
    busy_ = false;
    due_ = stride_.end;
    state_.advance_clock(stride_.end);
    iterations_ += stride_.steps;
    ++strides_;
    if (step_.decode) state_.decode(stride_.steps);
    if (observer != nullptr) {
        stride_.kv_blocks = state_.kv().used();
        stride_.waiting = state_.waiting().size();
        observer->stride(stride_);
    }
    for (std::uint32_t id = state_.pop_finished(); id != no_request; id = state_.pop_finished())
        finished_.push_back(id);
    for (const std::uint32_t id : finished_) requests_[id].finished = stride_.end;
    end_prompts();
    drop_cancelled();
}

void Replica::end_prompts() {
    for (std::size_t i = 0; i < step_.chunks.size(); ++i) {
        const PromptChunk& chunk = step_.chunks[i];
        Request& request = requests_[chunk.request];
        const Seconds late = out_at_.empty() ? stride_.late : std::max(Seconds{}, out_at_[i] - stride_.end);
        if (!state_.fill(chunk.request, chunk.tokens, late)) continue;
        // An answer of one token is there when that is.
        request.finished = request.planned == 1 ? stride_.end + late : stride_.end;
        finished_.push_back(chunk.request);
    }
}

Seconds Replica::mixed_time() {
    if (step_.piece_tokens != 0 && stride_.decodes + stride_.prompt_tokens > step_.piece_tokens)
        return piecewise_time();
    return timer_.step(step_.chunks, stride_.decodes, stride_.context);
}

/// The step in pieces of at most `piece_tokens`: decodes first, then the chunks in order, cut where a piece is full.
Seconds Replica::piecewise_time() {
    Seconds time{};
    std::uint32_t decodes = stride_.decodes;
    PLIMSOLL_ASSERT(decodes <= step_.piece_tokens);
    in_pieces(step_.piece_tokens - decodes, step_.piece_tokens, [&](std::size_t) {
        time += timer_.step(piece_, decodes, decodes == 0 ? 0 : stride_.context);
        decodes = 0;
    });
    return time;
}

/// Calls `run(chunks done with it)` for each piece of the chunks, of `room` tokens at the most and then of `most`.
template <class Run>
void Replica::in_pieces(std::uint32_t room, std::uint32_t most, Run run) {
    piece_.clear();
    std::size_t done = 0;
    for (PromptChunk chunk : step_.chunks) {
        while (chunk.tokens > 0) {
            if (room == 0) {
                run(done);
                piece_.clear();
                room = most;
            }
            const std::uint32_t tokens = std::min(room, chunk.tokens);
            piece_.push_back({chunk.request, tokens, chunk.context});
            chunk.tokens -= tokens;
            chunk.context += tokens;
            room -= tokens;
        }
        ++done;
    }
    run(done);
}

/// Whether the step is of prompts alone that nobody decodes after: nothing comes back to the first stage that a round
/// would have to wait for.
bool Replica::passes() const {
    const auto ends = [this](const PromptChunk& chunk) { return requests_[chunk.request].planned == 1; };
    return batches_ > 1 && !step_.decode && state_.decoding().empty() &&
           std::all_of(step_.chunks.begin(), step_.chunks.end(), ends);
}

/// Batches of such prompts follow each other from stage to stage: each enters a stage when it has left the one before
/// and those before it have left this one. The next one is composed when the first stage is free, and there are no more
/// of them under way than stages (vLLM, v1/engine/core.py: step_with_batch_queue).
void Replica::begin_pass() {
    out_at_.clear();
    const std::uint32_t most = step_.piece_tokens > 0 ? std::min(step_.piece_tokens, batch_tokens_) : batch_tokens_;
    in_pieces(most, most, [&](std::size_t done) {
        const Seconds in_stage = timer_.batch(piece_) / static_cast<double>(batches_);
        Seconds now = std::max(stride_.start, left_at_.front());
        for (Seconds& free_at : stage_free_at_) now = free_at = std::max(now, free_at) + in_stage;
        out_at_.resize(done, now);
        std::rotate(left_at_.begin(), left_at_.begin() + 1, left_at_.end());
        left_at_.back() = now;
    });
    stride_.end = std::max(stage_free_at_.front(), left_at_.front()) + step_.added;
}

std::span<const std::uint32_t> Replica::drop_all() {
    finished_.clear();
    for (std::uint32_t id = state_.pop_any(); id != no_request; id = state_.pop_any()) finished_.push_back(id);
    state_.forget_prefixes();
    scheduler_->reset();
    cancelled_.clear();
    std::fill(stage_free_at_.begin(), stage_free_at_.end(), Seconds{});
    std::fill(left_at_.begin(), left_at_.end(), Seconds{});
    busy_ = false;
    due_ = never;
    return finished_;
}

std::uint64_t Replica::kv_blocks_used(Seconds now) const {
    if (!busy_ || !step_.decode || now <= stride_.start) return state_.kv().used();
    // Steps that have begun by now have taken their blocks.
    const std::uint64_t steps = stride_.steps == 1 ? 1 : stride_.piece.steps_until(stride_.start, now, stride_.steps);
    return state_.kv().used() + state_.kv().need(steps);
}

}  // namespace plimsoll
