#pragma once
#include <cstdint>

#include "model/capacity/plan.hpp"
#include "model/spec/catalog.hpp"

namespace plimsoll {

/// Answers a scenario: tries every legal combination of model, engine, node, weight dtype, tensor and pipeline degree,
/// instances a node and sequence limit; keeps for each model (and node) the cheapest that meets the promises, by cost
/// where it is known for all and by GPUs otherwise. The answer does not depend on the number of threads.
[[nodiscard]] Plan plan(const Scenario& scenario, Catalog& catalog, std::uint32_t threads = 1);

}  // namespace plimsoll
