#pragma once
#include <optional>
#include <vector>

#include "model/capacity/bunching.hpp"
#include "model/capacity/decode_spread.hpp"
#include "model/capacity/instance_model.hpp"
#include "model/capacity/mixture.hpp"
#include "model/capacity/waiting.hpp"
#include "model/spec/slo.hpp"

namespace plimsoll {

/// Percentiles of the latencies of an instance whose means are known. An arrival waits for a uniform part of the step
/// under way that it sees, the prefill spreads with its prompt and those that join it, a wait before the batch is a sum
/// of departures. A request's TPOT spreads with the prompts of others and with their number: where prompts share the
/// steps of those who decode both together as `DecodeSpread` says, otherwise by averaging the states over its stay.
/// Not thread safe: it reuses its buffers.
class LatencyTails {
  public:
    explicit LatencyTails(const InstanceModel& model);

    /// Fills in the percentiles beside the means. `think_time`: 0 in an open load.
    void read(const SteadyState& steady, Seconds think_time, const Bunching::Wave& wave, Latencies& latencies);
    /// Of a prompt alone, mean.
    [[nodiscard]] Seconds own_prefill() const { return own_prefill_.mean(); }

  private:
    void read_wave(const Bunching::Wave& wave, Latencies& latencies);
    void ttft_mixture(const StateDistribution& seen, Seconds mean);
    struct Crowd;
    [[nodiscard]] Crowd crowd_of(const StateDistribution& present) const;
    [[nodiscard]] std::optional<DecodeSpread> spread_of(const Crowd& crowd, Seconds interval, Seconds think_time) const;
    void tpot_mixture(const StateDistribution& present, Seconds mean, Seconds stay, Seconds think_time);
    void e2e_mixture();

    /// Answers of about as many decode steps; the shortest, whose TPOT is the tail, are told apart finest.
    struct Answers {
        double share, steps;
    };
    [[nodiscard]] static std::vector<Answers> answers_of(const Distribution& output);
    void add_meeting(double weight, const Meetings::Kind& met, double gathered, const TimeMoments& rest);
    /// Token intervals of requests that decode in like states: `alone` and what the stalls add.
    struct Pace {
        double weight;
        Seconds alone;
        Stalls stalls;
    };
    [[nodiscard]] SecondsSquared variance_over(const Pace& pace, double steps) const;
    void add_stalled(const Pace& pace);
    [[nodiscard]] double stalled_a_step(const Stalls& stalls) const;

    const InstanceModel* model_;
    std::vector<Answers> answers_;
    Mixture own_prefill_;                 ///< of a prompt alone, by its length
    std::vector<Pace> paces_;             ///< of the last `tpot_mixture`
    std::optional<DecodeSpread> spread_;  ///< the same, where prompts share the steps of those who decode
    Mixture around_, ttft_, tpot_, decode_, e2e_;
};

}  // namespace plimsoll
