#pragma once
#include <cstdint>
#include <optional>

#include "model/cost/memory.hpp"
#include "model/cost/step_cost.hpp"
#include "model/spec/load.hpp"
#include "model/spec/slo.hpp"

namespace plimsoll {

/// A run of one instance: what is sent, and how long.
struct RunPlan {
    double users = 0;        ///< closed: users that share one queue of requests, each thinking between its requests
    PerSecond rate{};          ///< open (users = 0): Poisson arrivals
    int requests = 0;        ///< in all; the run ends when the last is answered
    int warm_up = 0;         ///< first requests that the statistics leave out
    Seconds ramp{};          ///< closed: the users start evenly over this time
    std::uint64_t seed = 1;  ///< of the arrivals of an open run; a closed run has no chance in it
};

/// What a benchmark client would report of the run.
struct RunResult {
    Latencies latencies;
    PerSecond request_rate;   ///< requests counted over the time from the first counted start to the end
    double mean_running = 0;  ///< over time
    double largest_running = 0;
    std::int64_t iterations = 0;
    int preemptions = 0;
    int never_fit = 0;  ///< requests larger than the whole KV pool: refused
};

/// Works through the run iteration by iteration under the engine's admission rules (FCFS; TGI's waiting_served_ratio
/// and max_waiting_tokens; chunked budgets; full reservation or paging with recomputation of the newest). Lengths and
/// think times follow a low-discrepancy sequence through the quantiles of their laws, so that a few hundred requests
/// have the moments of the law (Roberts 2018, the R3 sequence).
[[nodiscard]] RunResult run_instance(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                                     const Workload& workload, const Distribution& think_time, const RunPlan& plan);

}  // namespace plimsoll
