#include "simulator/router.hpp"

namespace plimsoll {
namespace {

/// Requests with one prefix (a field of the tag) go to one replica, chosen by a hash, unless that would give it more
/// than load_factor times the mean number outstanding: then to the next in the prefix's own order (consistent hashing
/// with bounded loads: Mirrokni, Thorup, Zadimoghaddam 2018).
class PrefixAffinity final : public Router {
  public:
    explicit PrefixAffinity(const RouterSettings& settings)
        : prefix_(settings.prefix), load_factor_(settings.load_factor) {
        PLIMSOLL_ASSERT(load_factor_ >= 1);
    }

    [[nodiscard]] std::uint32_t pick(const Pool& pool, const Request& request, Seconds) override {
        const double mean = static_cast<double>(pool.total_outstanding() + 1) / pool.up_count();
        const std::uint64_t prefix = prefix_.of(request.tag);
        for (std::uint32_t attempt = 0;; ++attempt) {
            const std::uint32_t replica = preferred_replica(pool, prefix, attempt);
            // One replica at least is at or below the mean without the request.
            if (pool.outstanding(replica) < load_factor_ * mean) return replica;
        }
    }

  private:
    TagField prefix_;
    double load_factor_;
};

}  // namespace

void register_prefix_affinity(Registry<RouterKind>& registry) {
    registry.add("prefix-affinity",
                 {.description = "requests with one prefix to one replica, within bounds on its load",
                  .make = [](const RouterSettings& settings) { return std::make_unique<PrefixAffinity>(settings); }});
}

}  // namespace plimsoll
