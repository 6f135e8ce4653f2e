#pragma once
#include <vector>

#include "model/capacity/chain.hpp"
#include "model/cost/memory.hpp"
#include "model/cost/step_cost.hpp"
#include "model/spec/load.hpp"

namespace plimsoll {

/// What n requests in one instance mean on average: the mean field from which the chain's rates and the latencies of
/// an arrival follow.
struct InstanceState {
    double present = 0;        ///< n, at most the batch limit
    double decoding = 0;       ///< of these in the running batch; the others wait for their prefill or are in it
    Seconds admission;         ///< from arrival to the start of the own prefill, with a place free
    Seconds prefill;           ///< duration of the own prefill (with its group or over its chunks)
    Seconds decode_step;       ///< a step without prompts
    Seconds token_interval;    ///< mean time between tokens, prefills of others included
    Seconds residence;         ///< admission + prefill + (output - 1) intervals
    double prefill_share = 0;  ///< of time that prefills take from the running batch
    double group = 1;          ///< prompts prefilled together
    [[nodiscard]] PerSecond rate() const { return present / residence; }
};

/// One instance under a workload: its batch limit and its state for any number of requests, under the engine's rules in
/// mean. With X = n / residence requests a second through the instance:
///
/// - decodes cost d(r) a step; prefills take the share X F(g) / g of the time, so that tokens are
///   d / (1 - share) apart;
/// - exclusive prefill: a window of W steps is closed to new prefills (W = 1 without a rule; with TGI's rule
///   W = min(max_waiting_tokens, ratio r / (X d))), then the first arrival opens one. Poisson arrivals over a window
///   t = W x interval give groups of g = X t + e^(-X t) and the closed share X t / g of arrivals, which wait t / 2 on
///   average; everybody waits for the rest of the step or prefill under way;
/// - chunked: prompts that arrive in one step share its budget; a chunk adds S(r, chunk) - S(r) to a step.
class InstanceModel {
  public:
    /// `time_scale` multiplies every duration, for intervals.
    InstanceModel(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                  const Workload& workload, double time_scale = 1.0);

    /// Requests that run at once at the most, at least 1 (a fraction counts as the larger whole number now and then).
    [[nodiscard]] double batch_limit() const { return batch_limit_; }
    /// Whether memory sets that limit, not the engine's sequence limit.
    [[nodiscard]] bool limited_by_memory() const { return limited_by_memory_; }
    /// The state with n requests present, 0 < n; n beyond the batch limit counts as the limit.
    [[nodiscard]] InstanceState at(double n) const;
    [[nodiscard]] const ServiceRates& rates() const { return rates_; }
    /// Steps from the first to the last token, mean over requests.
    [[nodiscard]] double decode_steps() const { return decode_steps_; }
    /// KV tokens that a running request reads in a step, mean over running requests.
    [[nodiscard]] double context() const { return context_; }
    [[nodiscard]] const Workload& workload() const { return *workload_; }
    [[nodiscard]] const Deployment& deployment() const { return *deployment_; }
    [[nodiscard]] const StepCost& cost() const { return *cost_; }
    [[nodiscard]] double time_scale() const { return time_scale_; }
    /// Prefill of one prompt of a given length alone, for the spread of TTFT with the prompt.
    [[nodiscard]] Seconds lone_prefill(double prompt) const;

  private:
    [[nodiscard]] InstanceState solve(double n, Seconds first_guess) const;
    void exclusive(double rate, InstanceState& state) const;
    void chunked(double rate, InstanceState& state) const;
    [[nodiscard]] Seconds group_prefill(double prompts) const;

    const StepCost* cost_;
    const Deployment* deployment_;
    const Workload* workload_;
    double time_scale_;
    double prompt_, pairs_, context_, decode_steps_;
    double batch_limit_ = 1;
    bool limited_by_memory_ = false;
    std::vector<InstanceState> grid_;  ///< by rising `present`; states between are interpolated
    ServiceRates rates_;
};

}  // namespace plimsoll
