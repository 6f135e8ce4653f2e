#include <bit>

#include "simulator/router.hpp"
#include "simulator/tournament.hpp"

namespace plimsoll {
namespace {

/// The replica with the smallest share of its KV blocks in use at this moment; among equals the one with the fewest
/// requests outstanding, then the lowest index. What waits in a queue holds no KV yet and is not seen.
///
/// The use rises with every step, and the router hears of it only when it falls: what it keeps of a replica is at most
/// what is true. So the least of what it keeps is looked at, and corrected, until it is true: that one is the least.
class LeastKv final : public Router {
  public:
    explicit LeastKv(const RouterSettings& settings) : order_(settings.replicas) {}

    [[nodiscard]] std::uint32_t pick(const Pool& pool, const Request&, Seconds now) override {
        now_ = now;
        while (true) {
            const std::uint32_t best = order_.best();
            const std::uint64_t key = key_of(pool, best);
            if (key == order_.best_key()) return best;
            order_.set(best, key);
        }
    }
    void changed(const Pool& pool, std::uint32_t replica) override {
        // The use of a moment ago, before the steps since the last pick, is known to be reached.
        order_.set(replica, pool.up(replica) ? key_of(pool, replica) : Tournament::worst);
    }

  private:
    /// The share, to 2^-24 of it, above the requests outstanding.
    [[nodiscard]] std::uint64_t key_of(const Pool& pool, std::uint32_t replica) const {
        const auto share = static_cast<float>(pool.kv_share(replica, now_));
        return (std::uint64_t{std::bit_cast<std::uint32_t>(share)} << 32) | pool.outstanding(replica);
    }

    Tournament order_;
    Seconds now_{};  ///< of the last pick
};

}  // namespace

void register_least_kv(Registry<RouterKind>& registry) {
    registry.add("least-kv",
                 {.description = "the replica with the smallest share of its KV cache in use",
                  .make = [](const RouterSettings& settings) { return std::make_unique<LeastKv>(settings); }});
}

}  // namespace plimsoll
