#pragma once
#include <cstdint>
#include <memory>

#include "simulator/finish_heap.hpp"
#include "simulator/kv_pool.hpp"
#include "simulator/prefix_cache.hpp"
#include "simulator/request.hpp"

namespace plimsoll {

/// How a request's KV blocks are accounted once it decodes.
enum class KvHolding {
    reserved,  ///< all that it may need are taken on admission
    paged      ///< one more whenever its last is full
};

/// The requests of one replica and its KV pool, with the operations in which engines' rules are written. A request is
/// waiting, then filling (its prompt, by chunks or whole), then decoding; a preempted one waits again or is swapped
/// out.
///
/// Tokens: completing a prefill of t tokens stores t and gives one output token. A decode step of a request reads its
/// stored tokens and the new one (its context), stores that one, and gives the next.
///
/// A prefix cache looks on from the first request on whose tokens are known. KV blocks that several requests share
/// then count once, and those that hold what somebody may ask for again count as free.
class EngineState {
  public:
    EngineState(RequestTable& requests, std::uint64_t kv_blocks, std::uint32_t block_tokens, KvHolding holding,
                std::unique_ptr<PrefixCache> cache = nullptr);

    [[nodiscard]] const Request& operator[](std::uint32_t id) const { return requests_[id]; }
    [[nodiscard]] Seconds now() const { return now_; }
    [[nodiscard]] const RequestList& waiting() const { return waiting_; }
    [[nodiscard]] const RequestList& filling() const { return filling_; }
    [[nodiscard]] const RequestList& decoding() const { return decoding_; }
    /// Requests whose KV lies in host memory, in the order in which it went there.
    [[nodiscard]] const RequestList& swapped() const { return swapped_; }
    /// Requests admitted, not finished and not swapped out.
    [[nodiscard]] std::uint32_t running() const { return filling_.size() + decoding_.size(); }
    [[nodiscard]] const KvPool& kv() const { return kv_; }
    /// Batches of a pipeline that the next step is composed for.
    [[nodiscard]] std::uint32_t batches() const { return batches_; }
    /// Decode steps made since the start.
    [[nodiscard]] std::uint64_t decode_steps() const { return decode_steps_; }
    /// Preemptions since the start.
    [[nodiscard]] std::uint64_t preemptions() const { return preemptions_; }
    /// Tokens that the next decode step reads: stored tokens and the new one of every decoding request.
    [[nodiscard]] std::uint64_t context() const { return context_; }
    /// Output tokens so far.
    [[nodiscard]] std::uint32_t generated(std::uint32_t id) const;
    /// Prompt tokens (and generated ones to be computed again) that are still to be computed. What was cached on
    /// arrival is not, unless the request is preempted; its blocks are taken like the others'.
    [[nodiscard]] std::uint32_t unfilled(std::uint32_t id) const {
        return requests_[id].target - requests_[id].prefilled;
    }

    /// Moves the first waiting request to the end of those filling and gives it `blocks`, of which the first hold
    /// at least `cached` of its tokens already (fewer than it is to prefill).
    void admit(std::uint64_t blocks, std::uint32_t cached = 0);
    /// What the prefix cache has of a waiting request, the last token aside, which is always computed.
    [[nodiscard]] PrefixHit find_prefix(std::uint32_t id);
    /// Like `admit`; the first of the `blocks` are those of the hit, which must have been found last.
    void admit(std::uint64_t blocks, const PrefixHit& hit);
    /// Blocks that a waiting request would take of the free ones.
    [[nodiscard]] static std::uint64_t blocks_taken(std::uint64_t blocks, const PrefixHit& hit) {
        return blocks - hit.blocks + hit.idle;
    }
    /// Tokens to compute of a waiting request after a hit.
    [[nodiscard]] std::uint32_t unfilled(std::uint32_t id, const PrefixHit& hit) const {
        return requests_[id].target - std::max(requests_[id].prefilled, hit.tokens);
    }
    /// The prefix cache takes the blocks that have been given away since the last time from the free ones.
    void settle();
    /// The same for those that the decodes of the step that is being composed will take.
    void settle_decode();
    /// Lets the prefix cache empty free blocks until so many are empty, if there are.
    void empty_blocks(std::uint64_t blocks) {
        if (caching_) cache_->empty(blocks);
    }
    /// Others find a filling request's first `tokens`, which the step that is being composed will have computed.
    void announce(std::uint32_t id, std::uint32_t tokens);
    /// Gives a filling request more blocks.
    void take_blocks(std::uint32_t id, std::uint64_t blocks);
    /// Takes a running request's blocks; it waits, before or behind all others, to be computed again.
    void preempt(std::uint32_t id, bool to_front = true);
    /// The same to the front; it finds its blocks again that nobody has used, even if it is not known what they hold.
    void preempt_known(std::uint32_t id);
    /// Blocks that requests have freed by ending, since the start.
    [[nodiscard]] std::uint64_t freed() const { return freed_; }
    /// From now on such blocks are `hidden` when they are found.
    void mark_freed() {
        if (caching_) cache_->mark();
    }
    /// Moves a decoding request out of the pool, behind those swapped out before.
    void swap_out(std::uint32_t id);
    /// The first request that was swapped out decodes again; its blocks must be free.
    void swap_in();
    /// KV blocks that a decoding or swapped request's stored tokens fill.
    [[nodiscard]] std::uint64_t stored_blocks(std::uint32_t id) const { return kv_.blocks_for(stored(id)); }
    /// Static batching: the request holds `prompt` and computes `output` tokens, padding included; nothing is cached.
    void pad(std::uint32_t id, std::uint32_t prompt, std::uint32_t output);
    /// Preempts the newest running requests until the blocks of the next decode step are free; tells how many.
    std::uint32_t make_room_for_decode();

    // The replica's part.
    void enqueue(std::uint32_t id);
    void advance_clock(Seconds now) { now_ = now; }
    void compose_for(std::uint32_t batches) { batches_ = batches; }
    /// Nobody decodes, and nobody who is or comes next to be prefilled will.
    [[nodiscard]] bool prompts_only() const;
    /// Tells the requests of the chunks that a step works on them from now.
    void mark_scheduled(std::uint32_t id);
    /// `steps` decode steps of all decoding requests.
    void decode(std::uint64_t steps);
    [[nodiscard]] std::uint64_t steps_to_first_finish() const;
    /// The next request whose last decode step is made, taken out; no_request when there is none.
    std::uint32_t pop_finished();
    /// Adds a chunk's tokens; when that completes the prefill the first (or next) token is there, or so much later:
    /// true when it was the last one, and the request is out.
    bool fill(std::uint32_t id, std::uint32_t tokens, Seconds late = {});
    /// Takes out a request wherever it is.
    void remove(std::uint32_t id) { leave(id); }
    /// Takes out any request (the replica has failed); no_request when there is none.
    std::uint32_t pop_any();
    /// What was stored is gone.
    void forget_prefixes();

  private:
    void start_caching();
    void leave(std::uint32_t id, bool preempted = false);
    /// Gives back a leaving request's blocks, which hold `tokens` tokens.
    void give_blocks(std::uint32_t id, std::uint64_t blocks, std::uint64_t tokens, bool preempted);
    void start_decoding(std::uint32_t id);
    /// Tokens stored of a request that decodes or is swapped out.
    [[nodiscard]] std::uint64_t stored(std::uint32_t id) const {
        return requests_[id].base + generated(id) - std::uint64_t{1};
    }

    RequestTable& requests_;
    KvPool kv_;
    KvHolding holding_;
    std::unique_ptr<PrefixCache> cache_;
    bool caching_ = false;
    std::uint64_t owed_ = 0;  ///< blocks given away that the cache does not know of
    std::uint64_t freed_ = 0;
    std::uint64_t paid_ = 0;  ///< blocks of the next decode step that it knows of
    RequestList waiting_, filling_, decoding_, swapped_;
    FinishHeap finishing_;
    Seconds now_{};
    std::uint64_t decode_steps_ = 0;
    std::uint64_t context_ = 0;
    std::uint64_t preemptions_ = 0;
    std::uint32_t batches_ = 1;
};

}  // namespace plimsoll
