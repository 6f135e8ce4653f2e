#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "simulator/request.hpp"

namespace plimsoll {

/// Something that a cluster has to do at a time of its own, besides arrivals and the steps of its replicas.
struct Control {
    enum class Kind : std::uint8_t { start, ready, fail, drain, time_out, retry, transferred, delivered };
    Seconds time{};
    std::uint64_t order = 0;  ///< of being scheduled, which breaks ties
    Kind kind = Kind::start;
    std::uint32_t subject = 0;   ///< a replica, a request or a link
    std::uint64_t sequence = 0;  ///< the request's; it is another one's row by now when it differs
    std::uint32_t count = 0;     ///< the subject's life, attempt or submission that is meant
};

/// What is to be done, in order of time and then of being scheduled.
class ControlQueue {
  public:
    /// `any` life of a replica is meant.
    static constexpr std::uint32_t any = std::numeric_limits<std::uint32_t>::max();

    [[nodiscard]] Seconds next_time() const { return heap_.empty() ? never : heap_.front().time; }
    void push(Control control) {
        if (control.time == never) return;
        control.order = pushed_++;
        heap_.push_back(control);
        std::push_heap(heap_.begin(), heap_.end(), later);
    }
    Control pop() {
        std::pop_heap(heap_.begin(), heap_.end(), later);
        const Control first = heap_.back();
        heap_.pop_back();
        return first;
    }

  private:
    static bool later(const Control& a, const Control& b) {
        return a.time != b.time ? a.time > b.time : a.order > b.order;
    }
    std::vector<Control> heap_;
    std::uint64_t pushed_ = 0;
};

}  // namespace plimsoll
