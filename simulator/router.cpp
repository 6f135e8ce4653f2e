#include "simulator/router.hpp"

#include <algorithm>

#include "simulator/random.hpp"

namespace plimsoll {

void Pool::set_up(std::uint32_t replica, bool up) {
    if (members_[replica].up == up) return;
    members_[replica].up = up;
    const auto at = std::lower_bound(up_.begin(), up_.end(), replica);
    if (up)
        up_.insert(at, replica);
    else
        up_.erase(at);
}

std::uint32_t preferred_replica(const Pool& pool, std::uint64_t key, std::uint32_t& attempt) {
    for (;; ++attempt) {
        const auto replica = static_cast<std::uint32_t>(RandomStream(key, "affinity", attempt).below(pool.size()));
        if (pool.up(replica)) return replica;
    }
}

}  // namespace plimsoll
