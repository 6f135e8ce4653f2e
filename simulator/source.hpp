#pragma once
#include <cstdint>

#include "simulator/request.hpp"

namespace plimsoll {

/// A request as a load source sends it.
struct Arrival {
    Seconds time{};                ///< when the client sent it
    std::uint32_t prompt = 1;      ///< tokens
    std::uint32_t output = 1;      ///< tokens, the first one included
    std::uint32_t max_output = 0;  ///< what the client asks for at the most; 0: `output`
    std::uint32_t cached = 0;      ///< prompt tokens that need not be computed; the last one always is
    std::uint64_t tag = 0;         ///< the source's own, handed back with the finished request
    Content content{};             ///< what the tokens are; a replica with a prefix cache looks for them there
};

/// Where requests come from, pulled one ahead. A closed loop learns of the end of each request and may answer it with
/// a new one, now or later.
class Source {
  public:
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual ~Source() = default;

    /// When the next request reaches the engines, `never` when none is due before something finishes. Does not
    /// decrease, and changes only through `take` and `finished`.
    [[nodiscard]] virtual Seconds next_time() const = 0;
    /// The next request, removed.
    virtual Arrival take() = 0;
    /// A request has been answered in full, or has ended without (its `first_token` is `never`). Called in order of
    /// time; among equal times in order of the replica, then of the decode step, then of arrival.
    virtual void finished(const Request& request) { static_cast<void>(request); }
};

}  // namespace plimsoll
