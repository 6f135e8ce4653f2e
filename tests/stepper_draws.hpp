#pragma once
#include "model/spec/load.hpp"
#include "stepper.hpp"

namespace plimsoll {

/// The requests of a run in the order in which they are sent, and the times between them. Each value depends on the
/// request's number and the plan alone, so that a run with other rules meets the same requests.
class RequestDraws {
  public:
    RequestDraws(const Workload& workload, const Distribution& think_time, const RunPlan& plan)
        : workload_(&workload), think_time_(&think_time), seed_(plan.seed), draws_(plan.draws) {}

    /// Whole tokens, at least 1.
    [[nodiscard]] double prompt(int request) const;
    [[nodiscard]] double output(int request) const;
    /// After the answer to the request.
    [[nodiscard]] double think_seconds(int request) const;
    /// Exponential of mean 1, before the request.
    [[nodiscard]] double gap(int request) const;

  private:
    enum class Coordinate { prompt, output, think_time, gap };
    [[nodiscard]] double hashed(int request, Coordinate coordinate) const;
    [[nodiscard]] double uniform(int request, Coordinate coordinate) const;

    const Workload* workload_;
    const Distribution* think_time_;
    std::uint64_t seed_;
    Draws draws_;
};

}  // namespace plimsoll
