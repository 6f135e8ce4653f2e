#pragma once
#include <cstdint>
#include <string>

#include "model/spec/load.hpp"
#include "simulator/instance.hpp"

namespace plimsoll {

/// How a benchmark loads one instance.
struct InstanceLoad {
    std::uint32_t users = 1;
    bool steady_state = false;
    std::uint64_t requests =
        documents_queue;            ///< of the shared queue; steady state: counted, after three a user of warm-up
    Seconds ramp{1.0};              ///< over which the users start
    bool tpot_over_tokens = false;  ///< otherwise over the tokens after the first
    std::uint32_t runs = 1;         ///< replications of seed 1 whose means are averaged
};

/// What the server's own measurements would say: means over requests, and requests by the time they took. TTFT from
/// the arrival at the server, TPOT each request's own mean.
struct InstanceMeans {
    Seconds ttft, tpot;
    PerSecond request_rate;
};

/// One instance under users that either drain a shared queue (ramp and drain included; lengths stratified, so that a
/// queue has the moments of their laws) or go on for ever.
class InstanceRunner {
  public:
    /// The instance must outlive the runner.
    InstanceRunner(const Instance& instance, const Workload& workload, const Distribution& think_time)
        : instance_(instance), workload_(workload), think_time_(think_time) {}

    [[nodiscard]] InstanceMeans run(const InstanceLoad& load) const;

  private:
    [[nodiscard]] InstanceMeans run_once(const InstanceLoad& load, std::uint64_t seed) const;

    const Instance& instance_;
    Workload workload_;
    Distribution think_time_;
};

}  // namespace plimsoll
