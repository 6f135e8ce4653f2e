#include "simulator/kv_pool.hpp"

namespace plimsoll {

std::uint64_t KvPool::crossing(std::uint32_t steps) const {
    if (block_tokens_ == 1) return steps * std::uint64_t{growing_};
    // Those at the last `steps` places of a block; the places are counted from the pool's clock.
    std::uint64_t sum = 0;
    std::uint32_t at = block_tokens_ - clock_;
    for (std::uint32_t i = 0; i < steps; ++i) {
        at = at == 0 ? block_tokens_ - 1 : at - 1;
        sum += growing_at_[at];
    }
    return sum;
}

std::uint64_t KvPool::steps_that_fit() const {
    if (growing_ == 0) return std::numeric_limits<std::uint64_t>::max();
    const std::uint64_t cycles = free() / growing_;
    std::uint64_t left = free() - cycles * growing_;
    std::uint32_t at = block_tokens_ - clock_;
    std::uint32_t steps = 0;
    for (; steps + 1 < block_tokens_; ++steps) {
        at = at == 0 ? block_tokens_ - 1 : at - 1;
        if (growing_at_[at] > left) break;
        left -= growing_at_[at];
    }
    return cycles * block_tokens_ + steps;
}

}  // namespace plimsoll
