#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "simulator/observer.hpp"

namespace plimsoll {

/// The times between the tokens of each request of one replica, from its strides alone: within a stride each step is a
/// gap of every decoding request; the first step's gap reaches back to the request's last token, which lies before the
/// prefill steps that stalled it, or at the end of the one that gave its first token.
///
/// A prefill step does not tell how many of its chunks were the last of their prompts. Where several of them follow
/// without a decode between, each chunk is taken to be, the latest first. The token that ends a recomputed prefill
/// after a preemption is left out. Of a request that comes back from the host's memory, or whose prompt another replica
/// computed, the first gap here is taken to be the step alone. Under static batching the steps that compute for
/// requests that already have all their tokens count too.
class TokenGaps {
  public:
    /// Calls `add(first, growth, count, weight)` for `weight` requests with `count` gaps each.
    template <class Add>
    void stride(const Stride& stride, Add add) {
        gone_ += stride.preempted;
        if (stride.decodes == 0) {
            pause(stride);
            return;
        }
        const bool alone = stride.prompt_chunks == 0;
        const Seconds first_end = alone ? stride.start + stride.piece.first : stride.end;
        std::uint32_t joined = 0;
        for (const Pause& pause : pauses_) joined += pause.chunks;
        const std::uint32_t stayed = last_decodes_ > gone_ ? last_decodes_ - gone_ : 0;
        const std::uint32_t fresh = std::min(joined, stride.decodes - std::min(stayed, stride.decodes));
        const std::uint32_t from_last = std::min(stride.decodes - fresh, stayed + last_chunks_);
        const std::uint32_t from_elsewhere = stride.decodes - fresh - from_last;
        if (from_last > 0) add((first_end - last_end_).value(), 0.0, std::uint64_t{1}, std::uint64_t{from_last});
        if (from_elsewhere > 0)
            add((first_end - stride.start).value(), 0.0, std::uint64_t{1}, std::uint64_t{from_elsewhere});
        std::uint32_t left = fresh;
        for (std::size_t i = pauses_.size(); i-- > 0 && left > 0;) {
            const std::uint32_t here = std::min(left, pauses_[i].chunks);
            if (here > 0) add((first_end - pauses_[i].end).value(), 0.0, std::uint64_t{1}, std::uint64_t{here});
            left -= here;
        }
        if (stride.steps > 1)
            add((stride.piece.first + stride.piece.growth).value(), stride.piece.growth.value(), stride.steps - 1,
                std::uint64_t{stride.decodes});
        pauses_.clear();
        last_end_ = stride.end;
        last_decodes_ = stride.decodes;
        last_chunks_ = stride.prompt_chunks;
        gone_ = 0;
    }

    void finished(const Request& request) {
        if (request.output > 1)
            ++gone_;
        else if (!pauses_.empty() && pauses_.back().chunks > 0)
            --pauses_.back().chunks;
    }

    void clear() {
        pauses_.clear();
        last_decodes_ = last_chunks_ = 0;
        gone_ = 0;
    }

  private:
    /// A prefill step since the last decode.
    struct Pause {
        Seconds end{};
        std::uint32_t chunks = 0;
    };
    static constexpr std::size_t most_pauses = 32;

    void pause(const Stride& stride) {
        if (pauses_.capacity() < most_pauses) pauses_.reserve(most_pauses);
        if (pauses_.size() == most_pauses) {
            pauses_[1].chunks += pauses_[0].chunks;
            pauses_.erase(pauses_.begin());
        }
        pauses_.push_back({stride.end, stride.prompt_chunks});
    }

    std::vector<Pause> pauses_;
    Seconds last_end_{};
    std::uint32_t last_decodes_ = 0;  ///< sequences of the last decode step
    std::uint32_t last_chunks_ = 0;   ///< prompts that may have been completed in it
    std::uint32_t gone_ = 0;          ///< of those: finished or preempted since
};

}  // namespace plimsoll
