#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "model/spec/slo.hpp"
#include "simulator/observer.hpp"

namespace plimsoll {

/// How near the latencies of a run come to its promises, and nothing else: for searches, whose runs are short and many.
class PromiseWatch final : public Observer {
  public:
    /// Leaves out the first requests that are answered or refused.
    PromiseWatch(const Slo& slo, std::uint64_t warm_up_requests);

    void finished(const Request& request) override;
    void refused(const Request& request) override;

    /// The largest ratio of a latency to its limit; the promises hold when it is at most 1. 0 when nothing was counted.
    [[nodiscard]] double worst_ratio();

  private:
    const Slo& slo_;
    std::uint64_t left_out_;
    std::array<std::vector<double>, metric_names.size()> values_;  ///< s
};

}  // namespace plimsoll
