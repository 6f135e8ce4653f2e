#include "simulator/trace_events.hpp"

#include <iterator>

#include <fmt/format.h>

#include "simulator/unanswered.hpp"

namespace plimsoll {
namespace {

double microseconds(Seconds time) {
    return time.value() * 1e6;
}

}  // namespace

TraceEvents::TraceEvents(TextSink& sink) : sink_(sink) {
    sink_.write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
}

void TraceEvents::begin_event() {
    text_ += first_ ? "\n" : ",\n";
    first_ = false;
}

void TraceEvents::send() {
    sink_.write(text_);
    text_.clear();
}

void TraceEvents::stride(const Stride& stride) {
    const auto out = std::back_inserter(text_);
    for (; replicas_ <= stride.replica; ++replicas_) {
        begin_event();
        fmt::format_to(out, R"({{"ph":"M","name":"process_name","pid":{0},"args":{{"name":"replica {0}"}}}})",
                       replicas_);
    }
    const char* const name = stride.prompt_chunks == 0 ? "decode" : stride.decodes == 0 ? "prefill" : "mixed";
    begin_event();
    fmt::format_to(out,
                   R"({{"ph":"X","name":"{}","pid":{},"tid":0,"ts":{:.3f},"dur":{:.3f},"args":{{"steps":{},)"
                   R"("decodes":{},"context_tokens":{},"prompt_chunks":{},"prompt_tokens":{},"preempted":{}}}}})",
                   name, stride.replica, microseconds(stride.start), microseconds(stride.end - stride.start),
                   stride.steps, stride.decodes, stride.context, stride.prompt_chunks, stride.prompt_tokens,
                   stride.preempted);
    begin_event();
    fmt::format_to(out,
                   R"({{"ph":"C","name":"requests","pid":{0},"ts":{1:.3f},"args":{{"waiting":{2},"in step":{3}}}}},)"
                   "\n"
                   R"({{"ph":"C","name":"KV blocks","pid":{0},"ts":{1:.3f},"args":{{"used":{4}}}}})",
                   stride.replica, microseconds(stride.end), stride.waiting, stride.decodes + stride.prompt_chunks,
                   stride.kv_blocks);
    send();
}

/// A nested asynchronous slice: slices of one id lie within each other.
void TraceEvents::span(const Request& request, const char* name, Seconds from, Seconds to) {
    const auto out = std::back_inserter(text_);
    for (const bool begin : {true, false}) {
        begin_event();
        fmt::format_to(out, R"({{"ph":"{}","cat":"request","id":{},"name":"{}","pid":{},"tid":0,"ts":{:.3f})",
                       begin ? 'b' : 'e', request.sequence, name, request.replica, microseconds(begin ? from : to));
        if (begin)
            fmt::format_to(out, R"(,"args":{{"prompt_tokens":{},"output_tokens":{},"preemptions":{}}})", request.prompt,
                           request.output, request.preemptions);
        text_ += '}';
    }
}

void TraceEvents::finished(const Request& request) {
    span(request, "request", request.arrival, request.finished);
    span(request, "queue", request.arrival, request.scheduled);
    span(request, "prefill", request.scheduled, request.first_token);
    span(request, "decode", request.first_token, request.finished);
    send();
}

void TraceEvents::unanswered(const Request& request) {
    begin_event();
    fmt::format_to(std::back_inserter(text_),
                   R"({{"ph":"i","s":"p","name":"{}","pid":{},"tid":0,"ts":{:.3f},"args":{{"prompt_tokens":{}}}}})",
                   outcome_names[static_cast<std::size_t>(request.outcome)], request.replica,
                   microseconds(request.finished), request.prompt);
    send();
}

void TraceEvents::close() {
    sink_.write("\n]}\n");
}

}  // namespace plimsoll
