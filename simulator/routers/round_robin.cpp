#include "simulator/router.hpp"

namespace plimsoll {
namespace {

/// Each in turn, in order of their index; one that is down is passed over.
class RoundRobin final : public Router {
  public:
    [[nodiscard]] std::uint32_t pick(const Pool& pool, const Request&, Seconds) override {
        std::uint32_t replica = next_;
        while (!pool.up(replica)) replica = after(pool, replica);
        next_ = after(pool, replica);
        return replica;
    }

  private:
    static std::uint32_t after(const Pool& pool, std::uint32_t replica) {
        return replica + 1 == pool.size() ? 0 : replica + 1;
    }
    std::uint32_t next_ = 0;
};

}  // namespace

void register_round_robin(Registry<RouterKind>& registry) {
    registry.add("round-robin", {.description = "each replica in turn",
                                 .make = [](const RouterSettings&) { return std::make_unique<RoundRobin>(); }});
}

}  // namespace plimsoll
