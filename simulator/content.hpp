#pragma once
#include <algorithm>
#include <cstdint>

namespace plimsoll {

/// One name out of two, well spread: the output function of splitmix64 (Steele, Lea, Flood 2014) over both.
[[nodiscard]] constexpr std::uint64_t joint_name(std::uint64_t first, std::uint64_t second) {
    const auto mix = [](std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    };
    return mix(mix(first + 0x9E3779B97F4A7C15ULL) + second);
}

/// What the tokens of a request (prompt, then answer) are, as far as it takes to tell how far two requests begin alike.
/// Each token has a name; two requests have the same token at a place, and the same ones before it, when they have the
/// same name there. The first `shared` tokens are named piece by piece by a path that others may have too; the rest
/// belongs to one conversation, whose later turns repeat it.
struct Content {
    std::uint64_t own = 0;                ///< name of the conversation; 0: nothing is known of the tokens
    const std::uint64_t* path = nullptr;  ///< names of the pieces, each of a piece and all before it; the source's
    std::uint32_t shared = 0;             ///< tokens that the path names
    std::uint32_t piece = 1;              ///< tokens of a piece

    [[nodiscard]] bool known() const { return own != 0; }
    [[nodiscard]] std::uint64_t name_at(std::uint32_t token) const {
        return token < shared ? path[token / piece] : own;
    }
    /// Name of the i-th block of `tokens` tokens and all before it.
    [[nodiscard]] std::uint64_t block_name(std::uint32_t i, std::uint32_t tokens) const {
        return joint_name(name_at(i * tokens + tokens - 1), i);
    }
    /// The first token behind `token` that may have another name.
    [[nodiscard]] std::uint32_t end_of_name(std::uint32_t token) const {
        return token < shared ? std::min(shared, (token / piece + 1) * piece) : ~std::uint32_t{0};
    }
    /// How far both are the same, from a token on up to which they are, and not beyond `end`.
    [[nodiscard]] std::uint32_t same_until(const Content& other, std::uint32_t from, std::uint32_t end) const {
        while (from < end && name_at(from) == other.name_at(from))
            from = std::min({end, end_of_name(from), other.end_of_name(from)});
        return from;
    }
};

}  // namespace plimsoll
