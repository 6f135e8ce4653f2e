#pragma once
#include "model/capacity/plan.hpp"

namespace plimsoll {

/// Refuses a priced candidate that needs more nodes than the scenario's bound, costs more, or has no known cost where
/// that is bounded, and says how much load the bounds leave it: as many whole instances at their capacity as they pay
/// for.
void keep_within_bounds(const Scenario& scenario, Candidate& candidate);

}  // namespace plimsoll
