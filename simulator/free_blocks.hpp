#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "model/base/error.hpp"

namespace plimsoll {

/// The free KV blocks of an engine with a prefix cache, in the order in which they will be used again: least recently
/// freed first, of one request its last block first. What is left of a preempted request's blocks is thus the beginning
/// of its context, and it finds it when it comes back.
class FreeBlocks {
  public:
    /// All blocks free and empty.
    explicit FreeBlocks(std::uint64_t blocks) : count_(blocks) { runs_.push_back({nobody, blocks}); }

    static constexpr std::uint64_t nobody = ~std::uint64_t{0};

    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// Blocks of `owner`, or such as nobody will ask for, become free.
    void give(std::uint64_t owner, std::uint64_t blocks) {
        if (blocks == 0) return;
        count_ += blocks;
        if (owner == nobody && !runs_.empty() && runs_.back().owner == nobody)
            runs_.back().blocks += blocks;
        else
            runs_.push_back({owner, blocks});
    }
    /// The next blocks are used for something new.
    void take(std::uint64_t blocks) {
        PLIMSOLL_ASSERT(blocks <= count_);
        count_ -= blocks;
        std::size_t empty = 0;
        for (; blocks > 0; ++empty) {
            const std::uint64_t here = std::min(blocks, runs_[empty].blocks);
            runs_[empty].blocks -= here;
            blocks -= here;
            if (runs_[empty].blocks > 0) break;
        }
        runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(empty));
    }
    /// Blocks of the owner that are still as it left them.
    [[nodiscard]] std::uint64_t kept(std::uint64_t owner) const {
        const auto run = find(owner);
        return run == runs_.end() ? 0 : run->blocks;
    }
    /// The owner takes them back.
    void take_back(std::uint64_t owner) {
        const auto run = find(owner);
        if (run == runs_.end()) return;
        count_ -= run->blocks;
        runs_.erase(run);
    }

  private:
    struct Run {
        std::uint64_t owner, blocks;
    };
    [[nodiscard]] std::vector<Run>::const_iterator find(std::uint64_t owner) const {
        return std::find_if(runs_.begin(), runs_.end(), [&](const Run& run) { return run.owner == owner; });
    }

    std::vector<Run> runs_;  ///< first to be used again first
    std::uint64_t count_;
};

}  // namespace plimsoll
