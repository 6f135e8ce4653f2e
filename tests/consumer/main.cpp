#include "model/base/fields.hpp"
#include "model/base/units.hpp"
#include "simulator/simulator.hpp"

using namespace plimsoll;

// Uses the installed library: reads a quantity, and simulates a server of one request at a time.
int main() {
    const auto link = Fields::from_text(R"({"bandwidth": "2 GB/s"})", "link.json");
    if (Bytes(1e9) / link.quantity<BytesPerSecond>("bandwidth") != Seconds(0.5)) return 1;

    const AffineTimer timer(
        {.constant = Seconds(0.01), .per_prompt_token = {}, .per_decode = {}, .per_context_token = {}});
    SimulationSetup setup;
    setup.timer = &timer;
    setup.scheduler = schedulers().find("vllm-v0");
    setup.settings = setup.scheduler->defaults;
    setup.settings.kv_blocks = 1000;
    setup.load.kind = "constant";
    setup.load.rate = PerSecond(1.0);
    setup.load.output = Distribution::fixed(3.0);
    setup.limits.requests = 100;
    const SimulationResult result = simulate(setup);
    // Three steps of 10 ms for each request, which comes when the one before is done.
    const double time = result.report[Measure::e2e].mean.value;
    return result.counts.requests == 100 && time > 0.0299999 && time < 0.0300001 ? 0 : 2;
}
