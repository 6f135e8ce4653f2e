#pragma once
#include <optional>

#include "model/capacity/bunching.hpp"
#include "model/capacity/instance_model.hpp"
#include "model/capacity/mixture.hpp"
#include "model/capacity/static_forecaster.hpp"
#include "model/capacity/waiting.hpp"
#include "model/spec/forecast.hpp"

namespace plimsoll {

/// Which latencies a forecast is asked for.
enum class Detail { means, percentiles };

/// Forecasts of one instance under any load, from the chain of its rates. Not thread safe: it reuses its buffers.
///
/// Means follow Little's law: E2E is the chain's response (with the wait before the batch as below), TPOT the decoding
/// requests over the tokens they get, TTFT what is left. The wait of FIFO before a full batch is (1 + cv^2) / 2 of the
/// chain's, cv of the output lengths. Percentiles come from the state that an arrival sees: it waits for a uniform
/// part of the step under way, the prefill spreads with its prompt and those that join it, a wait before the batch is a
/// sum of departures; a request's TPOT averages the states over its stay and spreads with the prefills that fall into
/// it.
class Forecaster {
  public:
    explicit Forecaster(const InstanceModel& model);

    /// `users` users that think for `think_time` on average.
    [[nodiscard]] Forecast closed(std::size_t users, Seconds think_time, Detail detail);
    /// Poisson arrivals. At or beyond the highest stable rate the forecast is marked overloaded and has no latencies.
    [[nodiscard]] Forecast open(PerSecond rate, Detail detail);
    [[nodiscard]] const InstanceModel& model() const { return *model_; }

  private:
    struct Means {
        Seconds wait, ttft, tpot, e2e;
        double decoding = 0;
    };
    /// As the engine has them, whose users are away for `away` between two requests.
    [[nodiscard]] Forecast closed_at_engine(std::size_t users, Seconds away, Detail detail);
    [[nodiscard]] Forecast open_at_engine(PerSecond rate, Detail detail);
    /// Clients wait for the front end too.
    [[nodiscard]] Forecast at_clients(Forecast forecast) const;
    [[nodiscard]] Means means(const SteadyState& steady) const;
    void fill(const SteadyState& steady, const Means& means, Forecast& forecast) const;
    void percentiles(const SteadyState& steady, double averaging, const Bunching::Wave& wave, Forecast& forecast);
    void read_wave(const Bunching::Wave& wave, Latencies& latencies);
    void ttft_mixture(const StateDistribution& seen, Seconds mean);
    void tpot_mixture(const StateDistribution& present, Seconds mean, double averaging);
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
    void add_stalled(const Pace& pace);
    [[nodiscard]] double stalled_a_step(const Stalls& stalls) const;

    const InstanceModel* model_;
    std::optional<StaticForecaster> static_;  ///< of an engine of static batches, which answers in its place
    Bunching bunching_;
    std::vector<Answers> answers_;
    std::vector<Pace> paces_;  ///< of the last `tpot_mixture`
    Mixture own_prefill_;      ///< of a prompt alone, by its length
    ChainWorkspace workspace_;
    Mixture around_, ttft_, tpot_, decode_, e2e_;
};

/// Names what makes up most of the latency closest to its limit, and what comes second.
void name_constraints(const InstanceModel& model, const Slo& slo, Forecast& forecast);

/// The most that an instance carries within the promises; none when one user (or an idle instance) is too many.
struct Capacity {
    double users = 0;
    PerSecond rate;
    Forecast forecast;  ///< at that load; with one user, or hardly any load, where even that is too much
};
/// The most users, up to `most_users`, with whom the promises hold; 0: not with one.
[[nodiscard]] double most_users_within(Forecaster& forecaster, Seconds think_time, const Slo& slo, double most_users);
/// The highest arrival rate at which the promises hold; 0: hardly any.
[[nodiscard]] PerSecond highest_rate_within(Forecaster& forecaster, const Slo& slo);
/// Bisection over whole users up to `most_users`: latencies rise with the load.
[[nodiscard]] Capacity closed_capacity(Forecaster& forecaster, Seconds think_time, const Slo& slo, double most_users);
/// Bisection over the arrival rate below saturation, to 0.1 %.
[[nodiscard]] Capacity open_capacity(Forecaster& forecaster, const Slo& slo);

}  // namespace plimsoll
