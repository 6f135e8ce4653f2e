#include "calibrate/host/operand_ring.hpp"

#include <algorithm>
#include <stdexcept>

#include <unistd.h>

namespace plimsoll {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20U;
constexpr std::size_t line = 64;

std::size_t of_system(int name) {
    const long value = ::sysconf(name);
    return value > 0 ? static_cast<std::size_t>(value) : 0;
}

/// Twice the last cache; within limits, since virtual machines report the cache of a host that they share.
std::size_t ring_bytes() {
    const std::size_t wanted = std::clamp(2 * last_cache_bytes(), 256 * mebibyte, 1024 * mebibyte);
    return std::max(64 * mebibyte, std::min(wanted, memory_bytes() / 8));
}

}  // namespace

std::size_t last_cache_bytes() {
#ifdef _SC_LEVEL3_CACHE_SIZE
    return std::max(of_system(_SC_LEVEL3_CACHE_SIZE), of_system(_SC_LEVEL2_CACHE_SIZE));
#else
    return 0;
#endif
}

std::size_t memory_bytes() {
    return of_system(_SC_PHYS_PAGES) * of_system(_SC_PAGESIZE);
}

OperandRing& OperandRing::shared() {
    static OperandRing ring;
    return ring;
}

OperandRing::OperandRing() : words_(ring_bytes() / sizeof(std::uint64_t)) {
    // Each half word is a bfloat16: random sign, exponent of 0.5 or 1, random mantissa; as an fp16 it is 1.75 to 2.
    constexpr std::uint64_t random_bits = 0x80FF80FF80FF80FFU, exponents = 0x3F003F003F003F00U;
    std::uint64_t state = 0;
    for (std::uint64_t& word : words_) {  // splitmix64 (G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014)
        std::uint64_t z = (state += 0x9E3779B97F4A7C15U);
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
        word = ((z ^ (z >> 31U)) & random_bits) | exponents;
    }
}

const void* OperandRing::next(std::size_t wanted) {
    const auto* base = reinterpret_cast<const unsigned char*>(words_.data());
    const std::size_t skip = (line - reinterpret_cast<std::uintptr_t>(base) % line) % line;
    const std::size_t size = (wanted + line - 1) / line * line;
    if (size + skip > bytes())
        throw std::runtime_error("needs " + std::to_string(size / mebibyte) + " MiB of operands, more than the " +
                                 std::to_string(bytes() / mebibyte) + " MiB that are kept");
    if (skip + position_ + size > bytes()) position_ = 0;
    const std::size_t at = skip + position_;
    position_ += size;
    return base + at;
}

}  // namespace plimsoll
