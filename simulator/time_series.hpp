#pragma once
#include <cstdint>
#include <vector>

#include "simulator/observer.hpp"
#include "simulator/unanswered.hpp"

namespace plimsoll {

/// What happened in one interval of time, over all replicas.
struct TimeSlot {
    std::uint64_t arrived = 0;  ///< of the requests that have ended
    std::uint64_t finished = 0, preempted = 0;
    Unanswered unanswered;
    std::uint64_t output_tokens = 0;  ///< of requests that finished in it
    double ttft_sum = 0;              ///< s, over requests that finished in it
    double busy = 0;                  ///< s, summed over replicas
    double sequences = 0;             ///< sequences in steps, integrated over time (s)
    double waiting = 0;               ///< of the requests that have ended, those not yet worked on, over time (s)
    double kv_blocks = 0;             ///< integrated over the strides' time (s)

    TimeSlot& operator+=(const TimeSlot& other);
};

/// The course of a run in at most 512 intervals: when they are used up, neighbours are joined and the width doubles.
class TimeSeries final : public Observer {
  public:
    explicit TimeSeries(Seconds first_width = Seconds{1.0 / 64});

    void stride(const Stride& stride) override;
    void finished(const Request& request) override;
    void unanswered(const Request& request) override;

    [[nodiscard]] Seconds width() const { return width_; }
    /// The intervals from time 0 to the last event.
    [[nodiscard]] const std::vector<TimeSlot>& slots() const { return slots_; }

  private:
    static constexpr std::size_t most = 512;
    TimeSlot& at(Seconds time);
    /// Calls `add(slot, seconds)` for each interval that [from, to] covers.
    template <class Add>
    void spread(Seconds from, Seconds to, Add add);

    Seconds width_;
    std::vector<TimeSlot> slots_;
};

}  // namespace plimsoll
