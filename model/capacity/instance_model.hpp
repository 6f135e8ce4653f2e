#pragma once
#include <cmath>
#include <optional>
#include <vector>

#include "model/capacity/chain.hpp"
#include "model/capacity/prefill_model.hpp"
#include "model/capacity/static_batch.hpp"
#include "model/cost/memory.hpp"
#include "model/cost/step_cost.hpp"
#include "model/spec/load.hpp"

namespace plimsoll {

/// What n requests in one instance mean on average: the mean field from which the chain's rates and the latencies of
/// an arrival follow.
struct InstanceState {
    double present = 0;      ///< n, at most the batch limit
    double decoding = 0;     ///< of these in the running batch; the others wait for their prefill or are in it
    Seconds admission;       ///< from arrival to the start of the own prefill, with a place free
    Seconds prefill;         ///< duration of the own prefill, with its group or over its chunks
    Seconds decode_step;     ///< a step without prompts
    Seconds token_interval;  ///< between tokens, prefills of others included, mean over tokens
    Seconds own_interval;    ///< the same as each request measures it for itself, mean over requests
    Seconds residence;       ///< admission + prefill + (output - 1) intervals
    Meetings meetings;
    Stalls stalls;
    [[nodiscard]] PerSecond rate() const { return present / residence; }
};

/// One instance under a workload: its batch limit and its state for any number of requests, under the engine's rules in
/// mean. The state of n requests is the fixed point of residence R = admission + prefill + decode at the rate X = n /
/// R.
///
/// What a request meets is made by the n - 1 others, who send at X' = X (n - 1) / n (Schweitzer 1979, Bard 1979): it
/// decodes in a batch of 1 + r (n - 1) / n, r = X x decode time by Little's law.
///
/// A paged KV cache that is full and has requests waiting computes again as many tokens as it puts out: admission by
/// the current size leaves no room to grow, so that each token takes its place from the newest request, which is sent
/// back (vLLM; arXiv 2606.15555 calls it cycling). The state at the batch limit prefills E[o] tokens more a request.
class InstanceModel {
  public:
    /// `think_shape`: how the time after which users come back is spread about its mean; absent: exponentially. Only
    /// static batches ask for it.
    InstanceModel(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                  const Workload& workload, std::optional<Distribution> think_shape = {});

    /// Requests that run at once at the most; at least 1 (a fraction counts as the larger whole number now and then).
    [[nodiscard]] double batch_limit() const { return batch_limit_; }
    /// Whether memory sets that limit, not the engine's sequence limit.
    [[nodiscard]] bool limited_by_memory() const { return limited_by_memory_; }
    /// The state with n requests present; n counts as 1 below 1 and as the batch limit above it.
    [[nodiscard]] InstanceState at(double n) const;
    [[nodiscard]] const ServiceRates& rates() const { return rates_; }
    /// Steps from the first to the last token, mean over requests.
    [[nodiscard]] double decode_steps() const { return decode_steps_; }
    /// KV tokens that a decoding request reads in a step, mean over steps.
    [[nodiscard]] double context() const { return context_; }
    [[nodiscard]] const Workload& workload() const { return *workload_; }
    [[nodiscard]] const Deployment& deployment() const { return *deployment_; }
    [[nodiscard]] const StepCost& cost() const { return *cost_; }
    /// Of an engine of static batches; null for others. Its states are those of a batch of so many, without waits.
    [[nodiscard]] const StaticBatch* batches() const { return batches_ ? &*batches_ : nullptr; }
    [[nodiscard]] const Distribution& think_shape() const { return *think_shape_; }
    /// Prefill of one prompt of a given length alone, for the spread of TTFT with the prompt.
    [[nodiscard]] Seconds lone_prefill(double prompt) const;

  private:
    /// Requests a second and what others do to each at that rate.
    struct Flow {
        double rate = 0;
        PrefillModel::Course course;
    };
    [[nodiscard]] std::optional<Flow> flow(double n, double decoding, double guess) const;
    [[nodiscard]] InstanceState state_of(double n, double decoding, const Flow& flow) const;
    /// All n requests in one batch.
    [[nodiscard]] static InstanceState state_of(double n, const StaticBatch::Batch& batch);
    [[nodiscard]] InstanceState solve(double n) const;

    const StepCost* cost_;
    const Deployment* deployment_;
    const Workload* workload_;
    std::optional<Distribution> think_shape_;
    std::optional<StaticBatch> batches_;
    double context_, decode_steps_;
    double batch_limit_ = 1;
    bool limited_by_memory_ = false;
    PrefillModel prefill_;
    std::vector<InstanceState> grid_;  ///< by rising `present`; states between are interpolated
    ServiceRates rates_;
};

}  // namespace plimsoll
