#include "simulator/random.hpp"
#include "simulator/router.hpp"

namespace plimsoll {
namespace {

/// Two different replicas are drawn, and the one with fewer requests outstanding gets it, the first drawn if they are
/// equal (Mitzenmacher 2001, the power of two choices).
class PowerOfTwo final : public Router {
  public:
    explicit PowerOfTwo(const RouterSettings& settings) : random_(settings.seed, "power of two", settings.stream) {}

    [[nodiscard]] std::uint32_t pick(const Pool& pool, const Request&, Seconds) override {
        const std::uint64_t count = pool.up_count();
        if (count == 1) return pool.up_at(0);
        const std::uint64_t one = random_.below(count), step = 1 + random_.below(count - 1);
        const std::uint32_t first = pool.up_at(one);
        const std::uint32_t second = pool.up_at(one + step < count ? one + step : one + step - count);
        return pool.outstanding(second) < pool.outstanding(first) ? second : first;
    }

  private:
    RandomStream random_;
};

}  // namespace

void register_power_of_two(Registry<RouterKind>& registry) {
    registry.add("power-of-two",
                 {.description = "of two replicas drawn, the one with fewer requests not answered yet",
                  .make = [](const RouterSettings& settings) { return std::make_unique<PowerOfTwo>(settings); }});
}

}  // namespace plimsoll
