#pragma once
#include <limits>
#include <vector>

#include "stepper.hpp"

namespace plimsoll {

/// What a run's statistics collect. Times in seconds since the start of the run.
class Observed {
  public:
    explicit Observed(const RunPlan& plan) : plan_(plan) {}

    void sent(int request, double when);
    void refused(int request);
    void answered(int request, double sent, double first_token, double last_token, double output);
    void preempted() { ++result_.preemptions; }
    /// A step of `seconds` from `begin` on with `running` sequences that decode or wait for a prefill to end.
    void passed(double begin, double seconds, double running);
    /// Whether a request of the plan still has no answer.
    [[nodiscard]] bool unanswered() const { return closed_ < plan_.requests; }
    [[nodiscard]] RunResult result();

  private:
    RunPlan plan_;
    int closed_ = 0;
    /// The time over which rates are taken ends with the first start that does not count or the last answer.
    double begin_ = std::numeric_limits<double>::infinity(), end_ = begin_, last_ = 0;
    double running_time_ = 0;
    std::vector<double> ttft_, tpot_, e2e_;
    RunResult result_;
};

}  // namespace plimsoll
