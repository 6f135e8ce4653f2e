#include "model/capacity/pricing.hpp"

#include <algorithm>

namespace plimsoll {
namespace {

/// Assumed, without a source: the share of its power limit that a GPU with a loaded model draws while it waits. The
/// draw at work is taken as the limit, which is more than memory-bound decoding needs.
constexpr double idle_share = 0.3;

Watts node_power(const Deployment& d, double busy) {
    return d.gpu->power.value * (d.node->gpus * (idle_share + (1.0 - idle_share) * busy)) + d.node->host_power.value;
}

std::optional<DollarsPerSecond> rental(const CostTerms& terms, const Deployment& d, std::string& unknown) {
    if (terms.rental_per_gpu) return *terms.rental_per_gpu * static_cast<double>(d.node->gpus);
    if (d.gpu->rental) return d.gpu->rental->value * static_cast<double>(d.node->gpus);
    unknown = "rental price of " + d.gpu->name;
    return std::nullopt;
}

std::optional<DollarsPerSecond> purchase(const CostTerms& terms, const Deployment& d, std::string& unknown) {
    if (!d.gpu->list_price)
        unknown = "list price of " + d.gpu->name;
    else if (!d.node->host_price)
        unknown = "host price of " + d.node->name;
    if (!unknown.empty()) return std::nullopt;
    return (d.gpu->list_price->value * static_cast<double>(d.node->gpus) + d.node->host_price->value) /
           terms.amortization;
}

}  // namespace

void price(const Scenario& scenario, Candidate& candidate) {
    const Deployment& d = candidate.deployment;
    const CostTerms& terms = scenario.cost;
    const double used = static_cast<double>(d.gpus_per_host() * d.instances_per_node) / d.node->gpus;
    const Watts at_work = node_power(d, used * std::min(1.0, candidate.at_load.running));
    const double spares = candidate.nodes - candidate.nodes_needed;
    candidate.power = (at_work * candidate.nodes_needed + node_power(d, 0.0) * spares) * terms.pue;
    const double tokens = candidate.at_load.output_tokens_per_s * d.instances_on(candidate.nodes_needed);
    if (tokens > 0) candidate.energy_per_token = Joules(candidate.power.value() / tokens);
    candidate.origin = weakest(candidate.origin, d.node->host_power.origin);

    const auto per_node =
        terms.rented ? rental(terms, d, candidate.cost_unknown) : purchase(terms, d, candidate.cost_unknown);
    if (!per_node) return;
    DollarsPerSecond cost = *per_node * static_cast<double>(candidate.nodes);
    if (!terms.rented) cost += candidate.power * terms.tariff;
    candidate.cost = cost;
    if (tokens > 0) candidate.cost_per_million_tokens = Dollars(cost.value() / tokens * 1e6);
}

}  // namespace plimsoll
