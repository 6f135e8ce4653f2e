#include "simulator/time_series.hpp"

#include <algorithm>

namespace plimsoll {

TimeSlot& TimeSlot::operator+=(const TimeSlot& other) {
    arrived += other.arrived;
    finished += other.finished;
    unanswered += other.unanswered;
    preempted += other.preempted;
    output_tokens += other.output_tokens;
    ttft_sum += other.ttft_sum;
    busy += other.busy;
    sequences += other.sequences;
    waiting += other.waiting;
    kv_blocks += other.kv_blocks;
    return *this;
}

TimeSeries::TimeSeries(Seconds first_width) : width_(first_width) {
    slots_.reserve(most);
}

TimeSlot& TimeSeries::at(Seconds time) {
    while (!(time < width_ * static_cast<double>(most))) {
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            const TimeSlot moved = slots_[i];
            slots_[i] = {};
            slots_[i / 2] += moved;
        }
        slots_.resize((slots_.size() + 1) / 2);
        width_ *= 2.0;
    }
    const auto index = static_cast<std::size_t>(time / width_);
    if (slots_.size() <= index) slots_.resize(index + 1);
    return slots_[index];
}

template <class Add>
void TimeSeries::spread(Seconds from, Seconds to, Add add) {
    at(to);  // may join intervals
    const auto first = static_cast<std::size_t>(from / width_), last = static_cast<std::size_t>(to / width_);
    for (std::size_t i = first; i <= last; ++i) {
        const Seconds begin = std::max(from, width_ * static_cast<double>(i));
        const Seconds end = std::min(to, width_ * static_cast<double>(i + 1));
        add(slots_[i], std::max(0.0, (end - begin).value()));
    }
}

void TimeSeries::stride(const Stride& stride) {
    at(stride.start).preempted += stride.preempted;
    const double sequences = stride.decodes + stride.prompt_chunks;
    spread(stride.start, stride.end, [&](TimeSlot& slot, double time) {
        slot.busy += time;
        slot.sequences += time * sequences;
        slot.kv_blocks += time * static_cast<double>(stride.kv_blocks);
    });
}

void TimeSeries::finished(const Request& request) {
    TimeSlot& slot = at(request.finished);
    ++slot.finished;
    slot.output_tokens += request.output;
    slot.ttft_sum += (request.first_token - request.arrival).value();
    ++at(request.arrival).arrived;
    spread(request.arrival, request.scheduled, [](TimeSlot& waited, double time) { waited.waiting += time; });
}

void TimeSeries::unanswered(const Request& request) {
    at(request.finished).unanswered.count(request.outcome);
    ++at(request.arrival).arrived;
}

}  // namespace plimsoll
