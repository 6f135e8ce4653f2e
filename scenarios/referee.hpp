#pragma once
#include <cstdint>

#include "model/capacity/plan.hpp"

namespace plimsoll {

/// Which candidates of a plan are simulated.
enum class RefereeLevel {
    none,
    fast,  ///< the best of each answer
    full   ///< also the runners-up within 20 % of its cost (of its GPUs where a price is unknown), in longer runs
};

struct RefereeSettings {
    RefereeLevel level = RefereeLevel::fast;
    std::uint64_t seed = 1;     ///< of all runs: candidates meet the same users
    std::uint32_t threads = 1;  ///< results do not depend on it
};

/// Judges the finalists of a plan again, one instance each, by simulating it in steady state under its share of the
/// planned load, and by searching the highest load at which the promises hold, from the forecast's on. Fills in
/// `Candidate::simulated` in the answers.
void referee(const Scenario& scenario, const RefereeSettings& settings, Plan& plan);

}  // namespace plimsoll
