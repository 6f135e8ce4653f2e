#pragma once
#include "model/capacity/batch_chain.hpp"
#include "model/capacity/mixture.hpp"
#include "model/spec/forecast.hpp"

namespace plimsoll {

class InstanceModel;

/// Forecasts of an instance of static batches, from the chain of their starts. A request waits for the rest of the
/// batch under way and for whole batches where more wait than one takes; its first token comes with the prefill of its
/// batch, its last with the end of it. Not thread safe: it reuses its buffers.
class StaticForecaster {
  public:
    explicit StaticForecaster(const InstanceModel& model);

    [[nodiscard]] Forecast closed(std::size_t users, Seconds think_time, bool percentiles);
    /// Poisson arrivals, below the saturated rate.
    [[nodiscard]] Forecast open(PerSecond rate, bool percentiles);

  private:
    struct Means {
        Seconds wait, ttft, tpot, e2e;
    };
    [[nodiscard]] Means means() const;
    void fill(const Means& means, Forecast& forecast) const;
    void percentiles(Latencies& latencies);
    /// States next to each other as one.
    struct Group {
        double probability = 0, waiting = 0, size = 0, served = 0;
    };
    [[nodiscard]] std::vector<Group> groups() const;
    void add_waits(const Group& from);
    void add_request(double weight, double wait, double variance, double size, double size_variance);
    void add_intervals(const Group& group);

    const InstanceModel* model_;
    BatchChain chain_;
    Mixture ttft_, tpot_, e2e_;
};

}  // namespace plimsoll
