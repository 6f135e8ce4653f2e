#include "simulator/router.hpp"

namespace plimsoll {
namespace {

/// The replica with the smallest share of its KV blocks in use at this moment; among equals the one with the fewest
/// requests outstanding, then the lowest index. What waits in a queue holds no KV yet and is not seen. The use changes
/// with every step, so all replicas are asked for each request.
class LeastKv final : public Router {
  public:
    [[nodiscard]] std::uint32_t pick(const Pool& pool, const Request&, Seconds now) override {
        std::uint32_t best = pool.up_at(0);
        double least = pool.kv_share(best, now);
        for (std::uint32_t k = 1; k < pool.up_count(); ++k) {
            const std::uint32_t replica = pool.up_at(k);
            const double share = pool.kv_share(replica, now);
            if (share > least || (share == least && pool.outstanding(replica) >= pool.outstanding(best))) continue;
            best = replica;
            least = share;
        }
        return best;
    }
};

}  // namespace

void register_least_kv(Registry<RouterKind>& registry) {
    registry.add("least-kv", {.description = "the replica with the smallest share of its KV cache in use",
                              .make = [](const RouterSettings&) { return std::make_unique<LeastKv>(); }});
}

}  // namespace plimsoll
