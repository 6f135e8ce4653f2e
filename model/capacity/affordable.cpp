#include "model/capacity/affordable.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "model/capacity/pricing.hpp"

namespace plimsoll {
namespace {

double per_hour(DollarsPerSecond cost) {
    return cost.value() * 3600.0;
}

std::optional<Infeasible> refuse(const Scenario& scenario, const Candidate& candidate) {
    if (scenario.max_nodes && candidate.nodes > *scenario.max_nodes)
        return Infeasible{fmt::format("needs {} node{}, more than the {} allowed", candidate.nodes,
                                      candidate.nodes == 1 ? "" : "s", *scenario.max_nodes)};
    if (!scenario.max_cost) return std::nullopt;
    if (!candidate.cost) return Infeasible{"its cost is bounded and unknown (" + candidate.cost_unknown + ")"};
    if (*candidate.cost > *scenario.max_cost)
        return Infeasible{fmt::format("costs {:.2f} USD/h, more than the {:.2f} allowed", per_hour(*candidate.cost),
                                      per_hour(*scenario.max_cost))};
    return std::nullopt;
}

/// Of so many nodes, spares among them, whose instances are at their capacity.
std::optional<DollarsPerSecond> cost_when_full(const Scenario& scenario, Candidate candidate, int nodes) {
    candidate.nodes = nodes;
    candidate.nodes_needed = nodes - scenario.spares;
    candidate.at_load = candidate.at_capacity;
    price(scenario, candidate);
    return candidate.cost;
}

/// The most nodes with spares, those that an instance spans together.
int most_nodes(const Scenario& scenario, const Candidate& candidate) {
    const int hosts = candidate.deployment.hosts_per_instance;
    const int needed = std::min(candidate.nodes, scenario.max_nodes.value_or(candidate.nodes));
    const auto nodes = [&](int groups) { return groups * hosts + scenario.spares; };
    const auto paid = [&](int groups) {
        return !scenario.max_cost || cost_when_full(scenario, candidate, nodes(groups)) <= scenario.max_cost;
    };
    int good = 0, bad = std::max(0, needed - scenario.spares) / hosts + 1;
    while (bad - good > 1) {
        const int middle = (good + bad) / 2;
        (paid(middle) ? good : bad) = middle;
    }
    return good > 0 ? nodes(good) : 0;
}

}  // namespace

void keep_within_bounds(const Scenario& scenario, Candidate& candidate) {
    candidate.refusal = refuse(scenario, candidate);
    if (!candidate.refusal || (scenario.max_cost && !candidate.cost)) return;
    WithinBounds within;
    within.nodes = most_nodes(scenario, candidate);
    if (within.nodes > 0) {
        const Load& load = scenario.load;
        const double instances = candidate.deployment.instances_on(within.nodes - scenario.spares);
        const double part = instances * (1.0 - scenario.headroom);
        const auto sure = [&](double forecast) {
            return scenario.confidence ? candidate.uncertainty->sure_capacity : forecast;
        };
        if (load.kind == Load::Kind::closed)
            within.users = std::floor(part * sure(candidate.users_per_instance) /
                                      (load.active_share * load.peak_factor) * (1.0 + 1e-12));
        else
            within.rate = load.rate * (part * sure(candidate.rate_per_instance.value()) / load.peak_rate().value());
        within.cost = cost_when_full(scenario, candidate, within.nodes);
    }
    candidate.within_bounds = within;
}

}  // namespace plimsoll
