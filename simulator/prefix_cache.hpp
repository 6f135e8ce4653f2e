#pragma once
#include <cstdint>

#include "simulator/content.hpp"

namespace plimsoll {

/// No row in a prefix cache.
inline constexpr std::uint32_t no_place = ~std::uint32_t{0};

/// What a prefix cache has of the beginning of a request.
struct PrefixHit {
    std::uint32_t tokens = 0;
    std::uint64_t blocks = 0;  ///< that hold them
    std::uint64_t idle = 0;    ///< of these: held by no request, so counted as free
    std::uint64_t hidden = 0;  ///< of the idle: of requests that have ended since `mark`
};

/// The KV blocks of one replica by what they hold. A block is in use (by one request or several, counted once) or free;
/// free ones keep their content until it is their turn to be used again. `EngineState` counts the blocks and calls
/// this; schedulers call that.
class PrefixCache {
  public:
    PrefixCache() = default;
    PrefixCache(const PrefixCache&) = delete;
    PrefixCache& operator=(const PrefixCache&) = delete;
    virtual ~PrefixCache() = default;

    /// Forgets all; `used` blocks hold what has no name.
    virtual void start(std::uint64_t used) = 0;
    /// The longest beginning, of at most `most` tokens, that is there.
    virtual PrefixHit find(const Content& content, std::uint32_t most) = 0;
    /// A request takes what was found last; returns its place here.
    virtual std::uint32_t hold() = 0;
    /// Free blocks are used for something new, in `times` equal lots one after another.
    virtual void take(std::uint64_t blocks, std::uint64_t times = 1) = 0;
    /// The request's first `tokens` are there from now on, to be found by others; returns how many blocks fewer are in
    /// use, because others had the same.
    virtual std::uint64_t store(std::uint32_t place, const Content& content, std::uint32_t tokens) = 0;
    /// The request leaves with its `blocks`, of which the first hold `tokens` tokens; returns how many are free now.
    /// Without a place it has nothing that could be found.
    virtual std::uint64_t release(std::uint32_t place, const Content& content, std::uint32_t tokens,
                                  std::uint64_t blocks, bool preempted) = 0;
    /// Empties free blocks now if fewer than `blocks` are empty.
    virtual void empty(std::uint64_t blocks) { static_cast<void>(blocks); }
    /// What becomes free from now on counts as `hidden` when it is found, until the next mark.
    virtual void mark() {}
    /// Blocks that are free.
    [[nodiscard]] virtual std::uint64_t free() const = 0;
};

}  // namespace plimsoll
