#pragma once
#include <cstdint>

namespace plimsoll {

/// What the load sources of this folder put into `Arrival::tag`: who asks, of which class, and how many leading tokens
/// of the prompt somebody has sent before (what a prefix cache that forgets nothing would find).
struct RequestTag {
    std::uint32_t session = 0;        ///< user, session in flight, or row of a trace
    std::uint8_t load_class = 0;      ///< index in a mixture
    std::uint32_t shared_prefix = 0;  ///< tokens, below 2^24

    static constexpr std::uint32_t longest_prefix = (1U << 24) - 1;

    [[nodiscard]] std::uint64_t packed() const {
        const std::uint64_t prefix = shared_prefix < longest_prefix ? shared_prefix : longest_prefix;
        return prefix << 40 | std::uint64_t{load_class} << 32 | session;
    }
    [[nodiscard]] static RequestTag of(std::uint64_t tag) {
        return {static_cast<std::uint32_t>(tag), static_cast<std::uint8_t>(tag >> 32),
                static_cast<std::uint32_t>(tag >> 40)};
    }
};

}  // namespace plimsoll
