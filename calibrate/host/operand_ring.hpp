#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace plimsoll {

/// One store of random operands for all benchmarks of the processor, larger than its caches: whoever walks through it
/// finds everything cold. Any aligned part of it is a row of random fp32, fp16 or bf16 numbers of magnitude 0.5 to 2
/// and either sign, or of int8 numbers.
class OperandRing {
  public:
    /// The ring of this process, made and filled at the first call.
    [[nodiscard]] static OperandRing& shared();

    /// The next `bytes`, or the first ones where the end is too near; aligned to 64 bytes. Throws std::runtime_error
    /// where the ring is smaller than that.
    [[nodiscard]] const void* next(std::size_t bytes);
    [[nodiscard]] std::size_t bytes() const { return words_.size() * sizeof(std::uint64_t); }

  private:
    OperandRing();
    std::vector<std::uint64_t> words_;
    std::size_t position_ = 0;  ///< in bytes
};

/// Bytes of the last cache, as the system says; 0: it does not.
[[nodiscard]] std::size_t last_cache_bytes();
/// Bytes of memory of this machine.
[[nodiscard]] std::size_t memory_bytes();

}  // namespace plimsoll
