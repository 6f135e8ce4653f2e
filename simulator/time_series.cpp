#include "simulator/time_series.hpp"

#include <algorithm>

namespace plimsoll {

TimeSlot& TimeSlot::operator+=(const TimeSlot& other) {
    arrived += other.arrived;
    finished += other.finished;
    refused += other.refused;
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

/// Spread over the intervals that it covers.
void TimeSeries::stride(const Stride& stride) {
    at(stride.start).preempted += stride.preempted;
    at(stride.end);
    const double sequences = stride.decodes + stride.prompt_chunks;
    const auto first = static_cast<std::size_t>(stride.start / width_);
    const auto last = static_cast<std::size_t>(stride.end / width_);
    for (std::size_t i = first; i <= last; ++i) {
        const Seconds begin = std::max(stride.start, width_ * static_cast<double>(i));
        const Seconds end = std::min(stride.end, width_ * static_cast<double>(i + 1));
        const double time = std::max(0.0, (end - begin).value());
        TimeSlot& slot = slots_[i];
        slot.busy += time;
        slot.sequences += time * sequences;
        slot.waiting += time * stride.waiting;
        slot.kv_blocks += time * static_cast<double>(stride.kv_blocks);
    }
}

void TimeSeries::finished(const Request& request) {
    ++at(request.arrival).arrived;
    TimeSlot& slot = at(request.finished);
    ++slot.finished;
    slot.output_tokens += request.output;
    slot.ttft_sum += (request.first_token - request.arrival).value();
}

void TimeSeries::refused(const Request& request) {
    TimeSlot& slot = at(request.arrival);
    ++slot.arrived;
    ++slot.refused;
}

}  // namespace plimsoll
