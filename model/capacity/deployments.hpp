#pragma once
#include <vector>

#include "model/cost/architecture.hpp"
#include "model/spec/catalog.hpp"
#include "model/spec/scenario.hpp"

namespace plimsoll {

/// All ways to use one node type for one model that the scenario leaves open, in a fixed order, the impossible ones
/// included: engines x weight dtypes x tensor degrees x pipeline degrees x instances a node x sequence limits.
/// Pipelines that the scenario does not ask for are tried only where the weights fit no tensor degree alone.
[[nodiscard]] std::vector<Deployment> deployments(const Scenario& scenario, const Architecture& architecture,
                                                  const Node& node, Catalog& catalog);

}  // namespace plimsoll
