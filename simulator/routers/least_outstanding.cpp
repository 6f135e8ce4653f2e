#include "model/base/error.hpp"
#include "simulator/router.hpp"
#include "simulator/tournament.hpp"

namespace plimsoll {
namespace {

/// The replica with the fewest requests given and not answered; among equals the one that was given its last request
/// the longest ago.
class LeastOutstanding final : public Router {
  public:
    explicit LeastOutstanding(const RouterSettings& settings)
        : given_(settings.replicas, 0), order_(settings.replicas) {}

    [[nodiscard]] std::uint32_t pick(const Pool&, const Request&, Seconds) override {
        const std::uint32_t replica = order_.best();
        given_[replica] = ++picks_;
        return replica;
    }
    void changed(const Pool& pool, std::uint32_t replica) override {
        const std::uint64_t key = (std::uint64_t{pool.outstanding(replica)} << pick_bits) | given_[replica];
        order_.set(replica, pool.up(replica) ? key : Tournament::worst);
    }

  private:
    static constexpr unsigned pick_bits = 40;  ///< a trillion requests, and 16 million outstanding on a replica

    std::vector<std::uint64_t> given_;  ///< [replicas], the number of the last pick
    Tournament order_;
    std::uint64_t picks_ = 0;
};

}  // namespace

void register_least_outstanding(Registry<RouterKind>& registry) {
    registry.add("least-outstanding",
                 {.description = "the replica with the fewest requests not answered yet",
                  .make = [](const RouterSettings& settings) { return std::make_unique<LeastOutstanding>(settings); }});
}

}  // namespace plimsoll
