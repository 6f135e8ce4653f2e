#include "simulator/random.hpp"

#include "simulator/router.hpp"

namespace plimsoll {
namespace {

/// Any of those that are up, each as likely.
class Random final : public Router {
  public:
    explicit Random(const RouterSettings& settings) : random_(settings.seed, "random router", settings.stream) {}

    [[nodiscard]] std::uint32_t pick(const Pool& pool, const Request&, Seconds) override {
        return pool.up_at(random_.below(pool.up_count()));
    }

  private:
    RandomStream random_;
};

}  // namespace

void register_random(Registry<RouterKind>& registry) {
    registry.add("random", {.description = "any replica, each as likely",
                            .make = [](const RouterSettings& settings) { return std::make_unique<Random>(settings); }});
}

}  // namespace plimsoll
