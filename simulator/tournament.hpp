#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

namespace plimsoll {

/// The smallest of a fixed number of players' keys that change one at a time, in O(log n); among equals the lowest
/// player. A tree whose nodes hold the winners of the matches below, key and all: a change replays one path against
/// siblings whose places are known beforehand, without a branch to guess.
class Tournament {
  public:
    static constexpr std::uint64_t worst = std::numeric_limits<std::uint64_t>::max() - 1;

    /// `count` players, at least one, all with the worst key.
    explicit Tournament(std::uint32_t count)
        : leaves_(std::bit_ceil(count)), keys_(2 * std::size_t{leaves_}, worst), players_(2 * std::size_t{leaves_}) {
        for (std::uint32_t i = 0; i < leaves_; ++i) set(i, worst);
    }

    [[nodiscard]] std::uint32_t best() const { return players_[1]; }
    [[nodiscard]] std::uint64_t best_key() const { return keys_[1]; }

    /// The best key of the others, for the best player.
    [[nodiscard]] std::uint64_t runner_up_key() const {
        std::uint64_t key = worst;
        for (std::uint32_t at = leaves_ + players_[1]; at > 1; at /= 2) key = std::min(key, keys_[at ^ 1]);
        return key;
    }

    /// Gives `player` a key, the worst at most.
    void set(std::uint32_t player, std::uint64_t key) {
        std::uint32_t at = leaves_ + player;
        keys_[at] = key;
        players_[at] = player;
        for (; at > 1; at /= 2) {
            const std::uint64_t other_key = keys_[at ^ 1];
            const std::uint32_t other = players_[at ^ 1];
            // A left sibling wins a draw.
            const std::uint64_t loses = 0 - std::uint64_t{other_key < key + (at & 1)};
            key ^= (key ^ other_key) & loses;
            player ^= (player ^ other) & static_cast<std::uint32_t>(loses);
            keys_[at / 2] = key;
            players_[at / 2] = player;
        }
    }

  private:
    std::uint32_t leaves_;
    // [2 leaves]: the final at 1, the leaves behind the inner nodes.
    std::vector<std::uint64_t> keys_;
    std::vector<std::uint32_t> players_;
};

}  // namespace plimsoll
