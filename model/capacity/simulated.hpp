#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "model/base/interval.hpp"
#include "model/spec/slo.hpp"

namespace plimsoll {

/// What a simulation of one instance says beside its forecast. Intervals are of 95 % and of the simulation's own noise;
/// infinite where it could not tell.
struct Simulated {
    std::string refusal;  ///< why it could not be simulated; everything else is empty then

    Latencies latencies;                                                                   ///< at the planned load
    std::array<std::array<Interval, statistic_names.size()>, metric_names.size()> ci95{};  ///< s, of the latencies
    double refused_share = 0;  ///< of the requests at the planned load: longer than the engine ever takes

    double users_per_instance = 0;  ///< most that meet the promises (closed load), all of the load at the most
    Interval users_interval;
    PerSecond rate_per_instance;  ///< the same of an open load
    Interval rate_interval;       ///< requests/s
    double nodes_needed = 0;      ///< without spares; infinite when an instance carries nothing
    Interval nodes_interval;
    double gap = 0;              ///< (forecast - simulated) / simulated, in users or rate of an instance
    std::uint64_t requests = 0;  ///< simulated in all
};

}  // namespace plimsoll
