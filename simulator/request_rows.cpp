#include "simulator/request_rows.hpp"

#include <iterator>

#include <fmt/format.h>

#include "simulator/request_tag.hpp"
#include "simulator/unanswered.hpp"

namespace plimsoll {

RequestRows::RequestRows(TextSink& sink) : sink_(sink) {
    sink_.write(
        "request_id,arrived_at,first_token_at,completed_at,ttft_s,tpot_s,e2e_s,preemptions,queue_s,prompt_tokens,"
        "output_tokens,replica,class,status\n");
}

void RequestRows::keep(const Request& request) {
    const std::uint64_t ahead = request.sequence - next_;
    while (held_.size() <= ahead) held_.emplace_back();
    held_[static_cast<std::size_t>(ahead)] = request;
    for (; !held_.empty() && held_.front(); ++next_) {
        write(*held_.front());
        held_.pop_front();
    }
}

void RequestRows::flush() {
    for (; !held_.empty(); ++next_) {
        if (held_.front()) write(*held_.front());
        held_.pop_front();
    }
}

void RequestRows::write(const Request& request) {
    line_.clear();
    const auto out = std::back_inserter(line_);
    const bool answered = request.first_token < never;
    fmt::format_to(out, "{},{}", request.sequence, request.arrival.value());
    if (answered) {
        fmt::format_to(out, ",{},{},{},", request.first_token.value(), request.finished.value(),
                       (request.first_token - request.arrival).value());
        if (request.output > 1)
            fmt::format_to(out, "{}", (request.finished - request.first_token).value() / (request.output - 1));
        fmt::format_to(out, ",{},{},{}", (request.finished - request.arrival).value(), request.preemptions,
                       (request.scheduled - request.arrival).value());
    } else {
        fmt::format_to(out, ",,{},,,,{},", request.finished.value(), request.preemptions);
    }
    fmt::format_to(out, ",{},{},{},{},{}\n", request.prompt, request.output, request.replica,
                   RequestTag::of(request.tag).load_class, outcome_names[static_cast<std::size_t>(request.outcome)]);
    sink_.write(line_);
}

}  // namespace plimsoll
