#pragma once
#include <cstdint>

#include "simulator/request.hpp"
#include "simulator/step_timer.hpp"

namespace plimsoll {

/// What a replica did in one go: a step with prompt chunks, or some decode steps of one batch.
struct Stride {
    std::uint32_t replica = 0;
    Seconds start{}, end{};
    Seconds late{};  ///< first tokens come so much after the end, when others go on already (pipelines)
    std::uint64_t steps = 0;
    DecodePiece piece{};        ///< the steps' times one by one (without chunks)
    std::uint32_t decodes = 0;  ///< sequences that get a token in each step
    std::uint64_t context = 0;  ///< tokens that they read in the first step
    std::uint32_t prompt_chunks = 0;
    std::uint64_t prompt_tokens = 0;
    std::uint64_t kv_blocks = 0;  ///< used at its end, before finished requests leave
    std::uint32_t waiting = 0;    ///< requests in the queue at its end
    std::uint32_t preempted = 0;  ///< requests that had to make room at its start
};

/// Who wants to know what happens: metrics, traces, progress. Called once a stride and once a request.
class Observer {
  public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;

    virtual void stride(const Stride& stride) { static_cast<void>(stride); }
    /// The request has all its tokens; its row is used again afterwards.
    virtual void finished(const Request& request) = 0;
    /// The request has ended without its answer, at `finished`; `outcome` says why, `first_token` is `never`.
    virtual void unanswered(const Request& request) { static_cast<void>(request); }
};

}  // namespace plimsoll
