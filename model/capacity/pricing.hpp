#pragma once
#include "model/capacity/plan.hpp"

namespace plimsoll {

/// Fills in power, energy, cost and what is unknown of it for a candidate whose nodes and load are known.
///
/// Power of a node: host + GPUs x limit x (idle + (1 - idle) busy), busy the share of the GPUs that have work times the
/// probability that their instance is not empty; times PUE. Bought: (GPUs + host) / amortisation + power x tariff;
/// rented: GPUs of all nodes x rate, electricity included.
void price(const Scenario& scenario, Candidate& candidate);

}  // namespace plimsoll
