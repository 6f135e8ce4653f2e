#pragma once
#include "model/capacity/instance_model.hpp"

namespace plimsoll {

/// Batches that nobody joins or leaves: the mean state of an engine that pads its batch to the longest prompt and works
/// to the end of the longest answer, while those who come wait for the next batch.
///
/// A batch of k takes T(k) = prefill of k longest prompts + (E[max of k outputs] - 1) decode steps of k. An arrival
/// meets a batch under way and waits for half of it in the mean, so that by Little's law k in work go with k / 2
/// waiting: n = 1 + 3/2 (k - 1), the first being alone (bulk service in means, Bailey 1954).
class StaticBatch {
  public:
    StaticBatch(const StepCost& cost, const Workload& workload) : cost_(&cost), workload_(&workload) {}

    /// Requests in work and waiting for the next batch, with batches of `batch`.
    [[nodiscard]] static double present_with(double batch) { return 1.0 + 1.5 * (batch - 1.0); }
    [[nodiscard]] InstanceState at(double present) const;
    /// The largest batch up to `most` whose padded prompts and answers fit `kv_tokens`; an answer counts as
    /// `reserved_output`, or where that is 0 as the longest of the batch.
    [[nodiscard]] double batch_in(double kv_tokens, double reserved_output, double most) const;

  private:
    const StepCost* cost_;
    const Workload* workload_;
};

}  // namespace plimsoll
