#pragma once
#include <cmath>
#include <cstdint>
#include <string_view>

namespace plimsoll {

/// A stream of random numbers of its own for one purpose, the same bytes on every machine for a seed and a name:
/// xoshiro256++ (Blackman, Vigna 2019) filled by splitmix64 (Steele, Lea, Flood 2014).
class RandomStream {
  public:
    /// `name` says what the numbers are for ("arrivals", "prompts"); `index` tells replications or users apart.
    RandomStream(std::uint64_t seed, std::string_view name, std::uint64_t index = 0) {
        std::uint64_t state = seed;
        for (const char c : name) state = split(state) ^ static_cast<unsigned char>(c);
        state = split(state) ^ index;
        for (auto& word : words_) word = split(state);
    }

    [[nodiscard]] std::uint64_t bits() {
        const std::uint64_t result = rotate(words_[0] + words_[3], 23) + words_[0];
        const std::uint64_t shifted = words_[1] << 17;
        words_[2] ^= words_[0];
        words_[3] ^= words_[1];
        words_[1] ^= words_[2];
        words_[0] ^= words_[3];
        words_[2] ^= shifted;
        words_[3] = rotate(words_[3], 45);
        return result;
    }

    /// Uniform in the open interval (0, 1).
    [[nodiscard]] double uniform() { return (static_cast<double>(bits() >> 12) + 0.5) * 0x1.0p-52; }
    /// Exponential with mean 1.
    [[nodiscard]] double exponential() { return -std::log(uniform()); }
    /// Uniform in 0 .. count - 1 (Lemire 2019, without the rejection: the bias is below count / 2^64).
    [[nodiscard]] std::uint64_t below(std::uint64_t count) {
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<Wide>(bits()) * count) >> 64);
    }

  private:
    static std::uint64_t rotate(std::uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }
    static std::uint64_t split(std::uint64_t& state) {
        state += 0x9E3779B97F4A7C15ULL;
        std::uint64_t z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }

    std::uint64_t words_[4];
};

}  // namespace plimsoll
