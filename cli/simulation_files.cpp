#include "cli/simulation_files.hpp"

#include <iterator>

#include <fmt/format.h>

namespace plimsoll {

SimulationFiles::SimulationFiles(const Arguments& arguments) {
    const auto open = [&](const char* name, std::optional<OutputFile>& file) {
        if (const auto path = arguments.value(name)) file.emplace(*path);
    };
    open("requests-out", requests_);
    open("trace-out", trace_);
    open("series-out", series_);
    if (requests_) rows_.emplace(*requests_);
    if (trace_) events_.emplace(*trace_);
}

void SimulationFiles::watch(ObserverGroup& group) {
    if (rows_) group.add(*rows_);
    if (events_) group.add(*events_);
    if (series_) group.add(course_);
}

void SimulationFiles::complete() {
    if (rows_) rows_->flush();
    if (events_) events_->close();
    if (series_) series_->write(series_text());
    for (auto* file : {&requests_, &trace_, &series_})
        if (*file) (*file)->complete();
}

std::string SimulationFiles::series_text() const {
    std::string text =
        "from_s,to_s,arrived,finished,refused,preempted,output_tokens,ttft_mean_s,busy,running_mean,waiting_mean,"
        "kv_blocks_mean,timed_out,lost\n";
    const double width = course_.width().value();
    double from = 0;
    for (const TimeSlot& slot : course_.slots()) {
        const auto out = std::back_inserter(text);
        fmt::format_to(out, "{},{},{},{},{},{},{},", from, from + width, slot.arrived, slot.finished,
                       slot.unanswered.refused, slot.preempted, slot.output_tokens);
        if (slot.finished > 0) fmt::format_to(out, "{}", slot.ttft_sum / static_cast<double>(slot.finished));
        fmt::format_to(out, ",{},{},{},{},{},{}\n", slot.busy / width, slot.sequences / width, slot.waiting / width,
                       slot.kv_blocks / width, slot.unanswered.timed_out, slot.unanswered.lost);
        from += width;
    }
    return text;
}

}  // namespace plimsoll
