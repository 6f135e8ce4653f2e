#pragma once
#include <optional>

#include "model/capacity/bunching.hpp"
#include "model/capacity/instance_model.hpp"
#include "model/capacity/latency_tails.hpp"
#include "model/capacity/static_forecaster.hpp"
#include "model/spec/forecast.hpp"

namespace plimsoll {

/// Which latencies a forecast is asked for.
enum class Detail { means, percentiles };

/// Forecasts of one instance under any load, from the chain of its rates. Not thread safe: it reuses its buffers.
///
/// Means follow Little's law: E2E is the chain's response (with the wait before the batch as below), TPOT the decoding
/// requests over the tokens they get, TTFT what is left. The wait of FIFO before a full batch is (1 + cv^2) / 2 of the
/// chain's, cv of the output lengths.
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
    [[nodiscard]] Means means(const SteadyState& steady) const;
    void fill(const SteadyState& steady, const Means& means, Forecast& forecast) const;

    const InstanceModel* model_;
    std::optional<StaticForecaster> static_;  ///< of an engine of static batches, which answers in its place
    Bunching bunching_;
    LatencyTails tails_;
    ChainWorkspace workspace_;
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
