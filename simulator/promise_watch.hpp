#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "model/spec/slo.hpp"
#include "simulator/observer.hpp"

namespace plimsoll {

/// How near the latencies of a run come to its promises, and nothing else: for searches, whose runs are short and many.
/// A request whose client went away counts with the time that it waited, the least that TTFT and E2E would have been.
class PromiseWatch final : public Observer {
  public:
    /// The promises of each class of the load. Leaves out the first requests that end.
    PromiseWatch(std::vector<Slo> promises, std::uint64_t warm_up_requests);

    void finished(const Request& request) override;
    void unanswered(const Request& request) override;

    /// The largest ratio of a latency to its limit; the promises hold when it is at most 1. 0 when nothing was counted.
    [[nodiscard]] double worst_ratio();
    /// How fast requests came over how fast they were answered, from the means of both times in either half of those
    /// counted: 1 in a steady state, more where a queue grows for ever. 1 when fewer than two were counted.
    [[nodiscard]] double came_over_answered() const;
    /// Of those that ended and count, the share that the engine never takes; 0 when nothing was counted.
    [[nodiscard]] double refused_share() const;

  private:
    struct Class {
        Slo slo;
        std::array<std::vector<double>, metric_names.size()> values;  ///< s
    };
    /// Those of the request's class; null while nothing is counted, and where nothing is promised.
    [[nodiscard]] Class* counted(const Request& request);

    std::vector<Class> classes_;
    std::uint64_t left_out_, counted_ = 0, refused_ = 0;
    std::vector<double> arrivals_, ends_;  ///< s, of those counted
};

}  // namespace plimsoll
