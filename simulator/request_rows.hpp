#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "simulator/observer.hpp"
#include "simulator/text_sink.hpp"

namespace plimsoll {

/// A CSV row for each request, in order of arrival: request_id (order of arrival), arrived_at, first_token_at,
/// completed_at, ttft_s, tpot_s, e2e_s, preemptions, queue_s, prompt_tokens, output_tokens, replica, class, status
/// ("ok", "refused", "timed-out" or "lost"). Times in seconds, in the shortest form that reads back as the same
/// number; a cell that does not apply is empty (TPOT of one token; without an answer all but arrival and end). A row
/// waits until those before it are written, so memory follows the requests that overtake each other.
class RequestRows final : public Observer {
  public:
    /// Writes the header line. The sink must outlive the writer.
    explicit RequestRows(TextSink& sink);

    void finished(const Request& request) override { keep(request); }
    void unanswered(const Request& request) override { keep(request); }
    /// Writes the rows that still wait for requests that have not ended: the run is over.
    void flush();

  private:
    void keep(const Request& request);
    void write(const Request& request);

    TextSink& sink_;
    std::string line_;
    std::deque<std::optional<Request>> held_;  ///< from `next_` on
    std::uint64_t next_ = 0;
};

}  // namespace plimsoll
