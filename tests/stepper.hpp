#pragma once
#include <cstdint>

#include "model/cost/memory.hpp"
#include "model/cost/step_cost.hpp"
#include "model/spec/load.hpp"
#include "model/spec/slo.hpp"

namespace plimsoll {

/// How lengths and think times follow their laws.
enum class Draws {
    spread,      ///< evenly, by a low-discrepancy sequence: a few hundred requests have the moments of the law
    independent  ///< each by itself from the seed, as a queue in steady state needs it
};

/// A run of one instance: what is sent, and how long.
struct RunPlan {
    double users = 0;        ///< closed: users that share one queue of requests, each thinking between its requests
    PerSecond rate{};        ///< open (users = 0): Poisson arrivals
    int requests = 0;        ///< the run ends when the last of them is answered
    int warm_up = 0;         ///< first requests that the statistics leave out; with it the load goes on behind the last
    Seconds ramp{};          ///< closed: the users start evenly over this time
    std::uint64_t seed = 1;  ///< of arrivals of an open run and of independent draws
    Draws draws = Draws::spread;
};

/// What a benchmark client would report of the run.
struct RunResult {
    Latencies latencies;
    PerSecond request_rate;   ///< requests counted over the time from the first counted start to the end, or, where the
                              ///< load goes on, to the first start that no longer counts
    double mean_running = 0;  ///< sequences that decode, mean over that time
    double largest_running = 0;  ///< in the whole run
    std::int64_t iterations = 0;
    int preemptions = 0;
    int never_fit = 0;  ///< requests larger than the whole KV pool: refused
};

/// Works through the run iteration by iteration under the engine's admission rules, first come first served:
///
/// - exclusive prefill: as many waiting prompts as KV, batch and prefill budget take are prefilled before the next
///   decode step (vLLM 0.6.1 scheduler); with TGI's rule a prefill starts when the prompts that fit are at least
///   floor(waiting_served_ratio x running) or max_waiting_tokens decode steps have passed, and a decode step lies
///   between two prefills (text-generation-inference, backend.rs);
/// - chunked: a step takes a token of every running sequence, then prompts in order until the budget is spent (vLLM V1
///   scheduler.py); a prompt holds all its KV from its admission on, where vLLM takes it chunk by chunk;
/// - full reservation holds prompt and promised output in whole blocks from the start; paging takes blocks as a
///   sequence grows, and where none is left the newest is sent back to the front of the queue to be computed again.
[[nodiscard]] RunResult run_instance(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                                     const Workload& workload, const Distribution& think_time, const RunPlan& plan);

}  // namespace plimsoll
