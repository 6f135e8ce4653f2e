#pragma once
#include <cstdint>
#include <string>

#include "simulator/observer.hpp"
#include "simulator/text_sink.hpp"

namespace plimsoll {

/// A run as Chrome trace-event JSON, for Perfetto or chrome://tracing: a process for each replica, with its strides as
/// slices (steps, decodes, prompt tokens), counters of waiting requests, sequences and KV blocks, and each request as
/// an asynchronous slice with its queueing, prefill and decode inside. Times in microseconds.
class TraceEvents final : public Observer {
  public:
    /// Writes the opening. The sink must outlive the writer.
    explicit TraceEvents(TextSink& sink);

    void stride(const Stride& stride) override;
    void finished(const Request& request) override;
    void unanswered(const Request& request) override;
    /// Writes the closing; what was written is complete JSON only then.
    void close();

  private:
    void begin_event();
    void span(const Request& request, const char* name, Seconds from, Seconds to);
    void send();

    TextSink& sink_;
    std::string text_;
    bool first_ = true;
    std::uint32_t replicas_ = 0;  ///< named so far
};

}  // namespace plimsoll
