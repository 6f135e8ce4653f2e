#pragma once
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

namespace plimsoll {

/// The smallest of a fixed number of keys that change one at a time, in O(log n): a winner tree. Among equal keys the
/// lowest index wins.
class Tournament {
  public:
    /// `count` players, at least one, all with the worst key.
    explicit Tournament(std::uint32_t count)
        : leaves_(std::bit_ceil(count)), keys_(leaves_, worst), winner_(2 * std::size_t{leaves_}) {
        for (std::uint32_t i = 0; i < leaves_; ++i) winner_[leaves_ + i] = i;
        for (std::uint32_t node = leaves_ - 1; node >= 1; --node) play(node);
    }

    void set(std::uint32_t player, std::uint64_t key) {
        keys_[player] = key;
        for (std::uint32_t node = (leaves_ + player) / 2; node >= 1; node /= 2) play(node);
    }
    [[nodiscard]] std::uint32_t best() const { return winner_[1]; }
    [[nodiscard]] std::uint64_t best_key() const { return keys_[winner_[1]]; }

    static constexpr std::uint64_t worst = std::numeric_limits<std::uint64_t>::max();

  private:
    void play(std::uint32_t node) {
        const std::uint32_t left = winner_[2 * node], right = winner_[2 * node + 1];
        winner_[node] = keys_[right] < keys_[left] ? right : left;
    }

    std::uint32_t leaves_;
    std::vector<std::uint64_t> keys_;    ///< [leaves]
    std::vector<std::uint32_t> winner_;  ///< [2 leaves], the root at 1, the leaves behind the inner nodes
};

}  // namespace plimsoll
