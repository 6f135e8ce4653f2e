#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "model/base/error.hpp"

namespace plimsoll {

/// The KV cache of a replica in blocks of `block_tokens` (1: by the token). Requests that decode under paging grow by
/// one token a step, each taking a block when its last is full; the pool knows how many at once from the number of
/// growing requests at each place within a block, so that a jump over many steps costs no more than a block is long.
class KvPool {
  public:
    KvPool(std::uint64_t blocks, std::uint32_t block_tokens)
        : blocks_(blocks), block_tokens_(block_tokens), growing_at_(block_tokens, 0) {
        PLIMSOLL_ASSERT(block_tokens >= 1);
    }

    [[nodiscard]] std::uint64_t blocks() const { return blocks_; }
    [[nodiscard]] std::uint32_t block_tokens() const { return block_tokens_; }
    [[nodiscard]] std::uint64_t used() const { return used_; }
    [[nodiscard]] std::uint64_t free() const { return blocks_ - used_; }
    [[nodiscard]] std::uint64_t blocks_for(std::uint64_t tokens) const {
        return (tokens + block_tokens_ - 1) / block_tokens_;
    }

    void take(std::uint64_t blocks) {
        PLIMSOLL_ASSERT(blocks <= free());
        used_ += blocks;
    }
    void give(std::uint64_t blocks) {
        PLIMSOLL_ASSERT(blocks <= used_);
        used_ -= blocks;
    }

    /// A request that holds blocks_for(stored) blocks (which stay taken) grows from now on.
    void start_growing(std::uint64_t stored) {
        ++growing_at_[place_of(stored)];
        ++growing_;
    }
    /// A growing request with so many tokens stored grows no more; its blocks_for(stored) blocks stay taken.
    void stop_growing(std::uint64_t stored) {
        --growing_at_[place_of(stored)];
        --growing_;
    }
    [[nodiscard]] std::uint32_t growing() const { return growing_; }

    /// Blocks that the growing requests take in the next step.
    [[nodiscard]] std::uint64_t step_need() const { return crossing(1); }
    /// Blocks that they take in the next `steps` steps.
    [[nodiscard]] std::uint64_t need(std::uint64_t steps) const {
        return growing_ * (steps / block_tokens_) + crossing(static_cast<std::uint32_t>(steps % block_tokens_));
    }
    /// The largest number of steps whose need is free.
    [[nodiscard]] std::uint64_t steps_that_fit() const;
    /// Lets every growing request store `steps` more tokens.
    void grow(std::uint64_t steps) {
        take(need(steps));
        clock_ = static_cast<std::uint32_t>((clock_ + steps) % block_tokens_);
    }

  private:
    /// Where a request's last token lies within its block, less the steps that the pool has seen: it stays the same.
    [[nodiscard]] std::uint32_t place_of(std::uint64_t stored) const {
        const auto place = static_cast<std::uint32_t>((stored + block_tokens_ - 1) % block_tokens_);
        return place >= clock_ ? place - clock_ : place + block_tokens_ - clock_;
    }
    /// Growing requests that leave their block within the next `steps` < block_tokens steps.
    [[nodiscard]] std::uint64_t crossing(std::uint32_t steps) const;

    std::uint64_t blocks_, used_ = 0;
    std::uint32_t block_tokens_;
    std::uint32_t clock_ = 0;  ///< steps seen, modulo the block
    std::uint32_t growing_ = 0;
    std::vector<std::uint32_t> growing_at_;  ///< [block_tokens]
};

}  // namespace plimsoll
