#pragma once
#include <cstdint>
#include <functional>

#include "simulator/search.hpp"
#include "simulator/simulator.hpp"

namespace plimsoll {

/// How long runs in steady state are: what they count grows with the requests that are in the system at the same time,
/// on which each of them depends.
struct SteadyRuns {
    std::uint64_t least_requests = 5000;  ///< counted
    double cycles = 30;                   ///< requests counted for each place that may be taken
};

/// Share of the requests that an engine may refuse as too long for it, in an answer that counts: a plan asks that the
/// longest of a hundred fits.
inline constexpr double most_refused = 0.02;

/// Limits and warm-up for a run in steady state whose requests take up to `places` places: one for each user, or four
/// for each that an open load would have running, since nobody holds the number of requests in the system and it
/// wanders.
void run_steadily(SimulationSetup& setup, double places, const SteadyRuns& runs);
/// Places of an open load, for the mean number of requests that would run at the highest one.
[[nodiscard]] double open_places(double running);

/// The highest load at which the promises of the load's classes hold, for `setup_at(load)`, steady runs under it.
[[nodiscard]] SearchResult search_capacity(const SearchSettings& settings,
                                           const std::function<SimulationSetup(double)>& setup_at);

}  // namespace plimsoll
