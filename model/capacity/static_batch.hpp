#pragma once
#include "model/capacity/instance_model.hpp"

namespace plimsoll {

/// Batches that nobody joins or leaves: the mean state of an engine that pads its batch to the longest prompt and works
/// to the end of the longest answer, while those who come wait for the next batch.
///
/// A batch of k takes T(k) = prefill of k longest prompts + (E[max of k outputs] - 1) decode steps of k. An arrival
/// meets a batch under way and waits for the share w of it: half where arrivals come at any time, all but the think
/// time Z where those who got their answers together come back that soon, w = max(1/2, 1 - Z / T). By Little's law k in
/// work go with w k waiting: n = 1 + (1 + w) (k - 1), the first being alone (bulk service in means, Bailey 1954).
class StaticBatch {
  public:
    /// `think_time`: after which users come back, mean; infinite for an open load.
    StaticBatch(const StepCost& cost, const Workload& workload, Seconds think_time)
        : cost_(&cost), workload_(&workload), think_time_(think_time) {}

    /// Requests in work and waiting for the next batch, with batches of `batch`.
    [[nodiscard]] double present_with(double batch) const;
    [[nodiscard]] InstanceState at(double present) const;
    /// The largest batch up to `most` whose padded prompts and answers fit `kv_tokens`; an answer counts as
    /// `reserved_output`, or where that is 0 as the longest of the batch.
    [[nodiscard]] double batch_in(double kv_tokens, double reserved_output, double most) const;

  private:
    /// Of a batch: its prompt and output, the longest in it, and how long it takes.
    struct Padded {
        double prompt, output;
        Seconds prefill, decode_step, time;
    };
    [[nodiscard]] Padded padded(double batch) const;

    const StepCost* cost_;
    const Workload* workload_;
    Seconds think_time_;
};

}  // namespace plimsoll
