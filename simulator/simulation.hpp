#pragma once
#include <cstdint>

#include "simulator/replica.hpp"
#include "simulator/source.hpp"

namespace plimsoll {

/// What a run counted.
struct RunCounts {
    std::uint64_t requests = 0;  ///< answered in full
    std::uint64_t refused = 0;
    std::uint64_t iterations = 0;  ///< engine steps
    std::uint64_t events = 0;      ///< jumps made and requests taken in
    Seconds end{};                 ///< time of the last event
    bool stopped = false;          ///< by a limit: requests were still in the system
};

/// When a run ends even though there is more to come. An observer may lower `time` while the run is under way.
struct RunLimits {
    std::uint64_t requests = unlimited_steps;  ///< answered or refused
    Seconds time = never;
};

/// Runs the source's requests through one replica until they are through, or a limit is reached.
RunCounts simulate(Source& source, RequestTable& requests, Replica& replica, Observer* observer = nullptr,
                   const RunLimits& limits = {});

}  // namespace plimsoll
