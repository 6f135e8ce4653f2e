#include "simulator/engine_state.hpp"

#include <algorithm>
#include <utility>

namespace plimsoll {

EngineState::EngineState(RequestTable& requests, std::uint64_t kv_blocks, std::uint32_t block_tokens, KvHolding holding,
                         std::unique_ptr<PrefixCache> cache)
    : requests_(requests), kv_(kv_blocks, block_tokens), holding_(holding), cache_(std::move(cache)) {
    finishing_.reserve(4096);
}

std::uint32_t EngineState::generated(std::uint32_t id) const {
    const Request& request = requests_[id];
    if (request.phase != Request::Phase::decoding) return request.generated;
    return request.planned - static_cast<std::uint32_t>(request.finish_step - decode_steps_);
}

void EngineState::enqueue(std::uint32_t id) {
    Request& request = requests_[id];
    request.phase = Request::Phase::waiting;
    request.planned = request.output;
    request.base = request.target = request.prompt;
    request.prefilled = std::min(request.cached, request.prompt - 1);
    request.generated = 0;
    waiting_.push_back(requests_, id);
    if (cache_ == nullptr || !requests_.described(id)) return;
    requests_.content(id).place = no_place;
    start_caching();
}

void EngineState::start_caching() {
    if (caching_) return;
    caching_ = true;
    owed_ = paid_ = 0;
    cache_->start(kv_.used());
}

void EngineState::admit(std::uint64_t blocks, std::uint32_t cached) {
    const std::uint32_t id = waiting_.front();
    Request& request = requests_[id];
    PLIMSOLL_ASSERT(cached < request.target);
    request.prefilled = std::max(request.prefilled, cached);
    if (request.preemptions == 0 && request.first_token == never) request.found = request.prefilled;
    waiting_.remove(requests_, id);
    filling_.push_back(requests_, id);
    request.phase = Request::Phase::filling;
    take_blocks(id, blocks);
}

PrefixHit EngineState::find_prefix(std::uint32_t id) {
    if (!caching_ || !requests_.described(id)) return {};
    return cache_->find(requests_.content(id).content, requests_[id].target - 1);
}

void EngineState::admit(std::uint64_t blocks, const PrefixHit& hit) {
    const std::uint32_t id = waiting_.front();
    if (caching_ && requests_.described(id)) {
        requests_.content(id).place = cache_->hold();
        kv_.take(hit.idle);
        requests_[id].blocks += hit.blocks;
    }
    admit(blocks - hit.blocks, hit.tokens);
}

void EngineState::take_blocks(std::uint32_t id, std::uint64_t blocks) {
    kv_.take(blocks);
    requests_[id].blocks += blocks;
    owed_ += blocks;
}

void EngineState::settle() {
    if (caching_) cache_->take(std::exchange(owed_, 0));
}

void EngineState::settle_decode() {
    if (!caching_) return;
    paid_ = kv_.step_need();
    cache_->take(paid_);
}

void EngineState::announce(std::uint32_t id, std::uint32_t tokens) {
    if (!caching_) return;
    settle();
    if (!requests_.described(id)) return;
    const auto& [content, place] = requests_.content(id);
    kv_.give(cache_->store(place, content, tokens));
}

void EngineState::give_blocks(std::uint32_t id, std::uint64_t blocks, std::uint64_t tokens, bool preempted) {
    requests_[id].blocks = 0;
    if (caching_ && blocks > 0) {
        const RequestContent held = requests_.described(id) ? requests_.content(id) : RequestContent{};
        blocks = cache_->release(held.place, held.content, static_cast<std::uint32_t>(tokens), blocks, preempted);
        if (held.content.known()) requests_.content(id).place = no_place;
    }
    kv_.give(blocks);
    if (!preempted) freed_ += blocks;
}

void EngineState::forget_prefixes() {
    caching_ = false;
    freed_ = 0;
    owed_ = paid_ = 0;
}

void EngineState::pad(std::uint32_t id, std::uint32_t prompt, std::uint32_t output) {
    Request& request = requests_[id];
    request.base = request.target = prompt;
    request.prefilled = request.found = 0;
    request.planned = output;
}

void EngineState::leave(std::uint32_t id, bool preempted) {
    Request& request = requests_[id];
    std::uint64_t blocks = request.blocks, tokens = request.prefilled;
    if (request.phase == Request::Phase::decoding) {
        const std::uint64_t held = stored(id);
        request.generated = generated(id);
        context_ -= held + 1;
        finishing_.remove(requests_, id);
        decoding_.remove(requests_, id);
        tokens = held;
        if (holding_ == KvHolding::paged) {
            kv_.stop_growing(held);
            blocks += kv_.blocks_for(held);
        }
    } else if (request.phase == Request::Phase::filling) {
        filling_.remove(requests_, id);
    } else {
        (request.phase == Request::Phase::swapped ? swapped_ : waiting_).remove(requests_, id);
    }
    give_blocks(id, blocks, tokens, preempted);
    request.phase = Request::Phase::done;
}

void EngineState::preempt(std::uint32_t id, bool to_front) {
    leave(id, true);
    Request& request = requests_[id];
    request.phase = Request::Phase::waiting;
    request.target = request.base + request.generated;
    request.prefilled = 0;
    ++request.preemptions;
    ++preemptions_;
    if (to_front)
        waiting_.push_front(requests_, id);
    else
        waiting_.push_back(requests_, id);
}

void EngineState::preempt_known(std::uint32_t id) {
    if (cache_ != nullptr && !requests_.described(id)) {
        // A conversation of its own, under a name that no source gives.
        requests_.describe(id, {.own = joint_name(~std::uint64_t{0}, requests_[id].sequence)});
        start_caching();
        cache_->find(requests_.content(id).content, 0);
        requests_.content(id).place = cache_->hold();
    }
    preempt(id);
}

std::uint32_t EngineState::make_room_for_decode() {
    std::uint32_t preempted = 0;
    for (; kv_.step_need() > kv_.free(); ++preempted) preempt(filling_.empty() ? decoding_.back() : filling_.back());
    return preempted;
}

void EngineState::mark_scheduled(std::uint32_t id) {
    Request& request = requests_[id];
    request.scheduled = std::min(request.scheduled, now_);
}

void EngineState::decode(std::uint64_t steps) {
    decode_steps_ += steps;
    context_ += steps * decoding_.size();
    if (holding_ != KvHolding::paged) return;
    if (caching_) cache_->take(kv_.need(steps) - std::exchange(paid_, 0), steps);
    kv_.grow(steps);
}

std::uint64_t EngineState::steps_to_first_finish() const {
    return finishing_.first_step() - decode_steps_;
}

std::uint32_t EngineState::pop_finished() {
    if (finishing_.empty() || finishing_.first_step() > decode_steps_) return no_request;
    const std::uint32_t id = finishing_.first();
    leave(id);
    return id;
}

bool EngineState::fill(std::uint32_t id, std::uint32_t tokens, Seconds late) {
    Request& request = requests_[id];
    request.prefilled += tokens;
    if (request.prefilled < request.target) {
        if (caching_) announce(id, request.prefilled);
        return false;
    }
    ++request.generated;
    const bool ends = request.generated == request.planned;
    request.first_token = std::min(request.first_token, now_ + late);
    if (ends) {
        leave(id);
        return true;
    }
    if (caching_) announce(id, request.prefilled);
    filling_.remove(requests_, id);
    start_decoding(id);
    return false;
}

void EngineState::start_decoding(std::uint32_t id) {
    Request& request = requests_[id];
    request.finish_step = decode_steps_ + (request.planned - request.generated);
    request.phase = Request::Phase::decoding;
    decoding_.push_back(requests_, id);
    finishing_.push(requests_, id);
    context_ += stored(id) + 1;
    if (holding_ == KvHolding::paged) {
        kv_.start_growing(stored(id));
        request.blocks -= kv_.blocks_for(stored(id));
    }
}

void EngineState::swap_out(std::uint32_t id) {
    leave(id);
    requests_[id].phase = Request::Phase::swapped;
    swapped_.push_back(requests_, id);
    ++requests_[id].preemptions;
    ++preemptions_;
}

void EngineState::swap_in() {
    const std::uint32_t id = swapped_.front();
    take_blocks(id, stored_blocks(id));
    swapped_.remove(requests_, id);
    start_decoding(id);
}

bool EngineState::prompts_only() const {
    if (!decoding_.empty()) return false;
    for (std::uint32_t id = filling_.front(); id != no_request; id = requests_[id].next)
        if (requests_[id].planned > 1) return false;
    return waiting_.empty() || requests_[waiting_.front()].planned == 1;
}

std::uint32_t EngineState::pop_any() {
    const std::uint32_t id = !decoding_.empty()  ? decoding_.front()
                             : !filling_.empty() ? filling_.front()
                             : !swapped_.empty() ? swapped_.front()
                                                 : waiting_.front();
    if (id != no_request) leave(id);
    return id;
}

}  // namespace plimsoll
