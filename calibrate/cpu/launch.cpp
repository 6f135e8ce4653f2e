#include "calibrate/cpu/benchmarks.hpp"
#include "calibrate/host/thread_team.hpp"

namespace plimsoll {
namespace {

/// Waking the threads for nothing: what every kernel costs before it works.
class Launch final : public PreparedKernel {
  public:
    explicit Launch(const KernelPoint& point) : team_(static_cast<int>(point.shape.ranks)) {}
    Reading run() override {
        return {.elapsed = team_.run([](int) {}).elapsed, .clock_mhz = estimated_clock_mhz()};
    }
    double error() override { return 0; }
    [[nodiscard]] double tolerance() const override { return 0; }

  private:
    ThreadTeam team_;
};

}  // namespace

void register_launch(Registry<Microbenchmark>& registry) {
    registry.add("launch",
                 {.description = "waking the threads and waiting for them",
                  .points =
                      [](bool) {
                          return std::vector<KernelPoint>{
                              {.kernel = KernelClass::launch, .path = "team", .dtype = "fp32", .cold = false}};
                      },
                  .prepare = [](const KernelPoint& wanted) { return std::make_unique<Launch>(wanted); }});
}

}  // namespace plimsoll
