#include "model/capacity/judge.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/units_text.hpp"
#include "model/capacity/affordable.hpp"
#include "model/capacity/pricing.hpp"
#include "model/cost/speculation.hpp"

namespace plimsoll {
namespace {

std::string whole(double value) {
    return std::to_string(static_cast<long long>(value));
}

}  // namespace

double demand_of(const Scenario& scenario) {
    const Load& load = scenario.load;
    return load.kind == Load::Kind::closed ? load.concurrent_users() : load.peak_rate().value();
}

double nodes_for(const Scenario& scenario, const Deployment& deployment, double per_instance) {
    // Nodes that an instance spans come together.
    const double per_group = per_instance * deployment.instances_per_node * (1.0 - scenario.headroom);
    if (!(per_group > 0)) return HUGE_VAL;
    return deployment.hosts_per_instance * std::max(1.0, std::ceil(demand_of(scenario) / per_group * (1.0 - 1e-12)));
}

Candidate Judge::operator()(const Deployment& deployment) const {
    Candidate candidate;
    candidate.deployment = deployment;
    candidate.refusal = refuse(deployment);
    if (candidate.refusal) return candidate;
    candidate.memory = memory_budget(*architecture_, deployment, &scenario_->workload);
    candidate.refusal = candidate.memory.refusal(*deployment.gpu);
    if (candidate.refusal) return candidate;
    candidate.largest_batch = largest_batch(candidate.memory, deployment, scenario_->workload);
    // Each attention group holds its own requests.
    if (const int groups = deployment.attention_data_parallel; candidate.largest_batch < groups) {
        candidate.refusal = Infeasible{"the KV cache holds " + whole(candidate.memory.kv_tokens / groups) +
                                       " tokens, less than one request takes"};
        return candidate;
    }
    const StepCost cost(*architecture_, deployment);
    const InstanceModel model(cost, deployment, candidate.memory, scenario_->workload, think_shape());
    Forecaster forecaster(model);
    candidate.origin = cost.origin();
    find_capacity(forecaster, candidate);
    if (!candidate.refusal) size(forecaster, candidate, nodes_for(*scenario_, deployment, carried(candidate)));
    if (!candidate.refusal && scenario_->confidence) make_sure(forecaster, candidate);
    if (!candidate.refusal) {
        price(*scenario_, candidate);
        keep_within_bounds(*scenario_, candidate);
    }
    return candidate;
}

std::optional<Infeasible> Judge::refuse(const Deployment& d) const {
    if (const auto why = architecture_->refusal(split_of(d))) return Infeasible{*why};
    if (const auto why = engine_refusal(d)) return Infeasible{*why};
    if (const auto why = speculation_refusal(d)) return Infeasible{*why};
    if (const auto why = adapter_refusal(d)) return Infeasible{*why};
    if (d.gpus_per_host() * d.instances_per_node > d.node->gpus)
        return Infeasible{std::to_string(d.instances_per_node) + " instances of " + std::to_string(d.gpus_per_host()) +
                          " GPUs on a node of " + std::to_string(d.node->gpus)};
    const std::string weights(to_string(d.weights));
    if (std::find(d.engine->weights.begin(), d.engine->weights.end(), d.weights) == d.engine->weights.end())
        return Infeasible{d.engine->name + " does not run " + weights + " weights"};
    if (!d.gpu->supports(arithmetic_dtype(d.weights)))
        return Infeasible{d.gpu->name + " has no " + std::string(to_string(arithmetic_dtype(d.weights))) +
                          " arithmetic"};
    return refuse_lengths(d);
}

/// The longest of a hundred requests must be within what model and engine take.
std::optional<Infeasible> Judge::refuse_lengths(const Deployment& d) const {
    const double prompt = scenario_->workload.prompt.quantile(0.99), output = scenario_->workload.output.quantile(0.99);
    const auto refuse = [&](const char* what, double length, const std::string& whose, int limit) {
        return Infeasible{std::string("the p99 ") + what + " of " + whole(length) + " tokens exceeds the " +
                          std::to_string(limit) + " of " + whose};
    };
    if (d.engine->max_input_tokens && prompt > *d.engine->max_input_tokens)
        return refuse("prompt", prompt, d.engine->name, *d.engine->max_input_tokens);
    if (d.engine->max_total_tokens && prompt + output > *d.engine->max_total_tokens)
        return refuse("prompt + output", prompt + output, d.engine->name, *d.engine->max_total_tokens);
    if (prompt + output > d.model->max_context)
        return refuse("prompt + output", prompt + output, d.model->name, d.model->max_context);
    return std::nullopt;
}

Capacity Judge::capacity_of(Forecaster& forecaster) const {
    return closed() ? closed_capacity(forecaster, think_time(), scenario_->slo, demand())
                    : open_capacity(forecaster, scenario_->slo);
}

double Judge::most_carried(Forecaster& forecaster) const {
    return closed() ? most_users_within(forecaster, think_time(), scenario_->slo, demand())
                    : highest_rate_within(forecaster, scenario_->slo).value();
}

void Judge::find_capacity(Forecaster& forecaster, Candidate& candidate) const {
    const Capacity capacity = capacity_of(forecaster);
    candidate.at_capacity = capacity.forecast;
    candidate.users_per_instance = capacity.users;
    candidate.rate_per_instance = capacity.rate;
    if (capacity.rate <= PerSecond(0)) {
        candidate.refusal = Infeasible{broken_promise(capacity.forecast)};
        return;
    }
    const double instances = candidate.deployment.instances_a_node();
    candidate.users_per_node = capacity.users * instances;
    candidate.rate_per_node = capacity.rate * instances;
}

std::string Judge::broken_promise(const Forecast& forecast) const {
    std::string text = closed() ? "with one user alone" : "hardly loaded";
    for (const SloTerm& term : scenario_->slo.terms) {
        const Seconds value = forecast.latencies[term.metric][term.statistic];
        if (value > term.limit)
            text += ", " + std::string(to_string(term.metric)) + " " + std::string(to_string(term.statistic)) + " is " +
                    to_text(value) + " (limit " + to_text(term.limit) + ")";
    }
    return text + "; " + std::string(to_string(forecast.binding)) + " takes most of it";
}

/// One instance when the load is spread evenly over `nodes` nodes; the fullest one where users do not divide.
Forecast Judge::at_nodes(Forecaster& forecaster, const Deployment& deployment, int nodes) const {
    const double share = demand() / deployment.instances_on(nodes);
    const Seconds think_time(scenario_->load.think_time.mean());
    const auto users = static_cast<std::size_t>(std::max(1.0, std::ceil(share - 1e-9)));
    Forecast forecast = closed() ? forecaster.closed(users, think_time, Detail::percentiles)
                                 : forecaster.open(PerSecond(share), Detail::percentiles);
    name_constraints(forecaster.model(), scenario_->slo, forecast);
    return forecast;
}

void Judge::size(Forecaster& forecaster, Candidate& candidate, double nodes) const {
    const Deployment& d = candidate.deployment;
    if (!(nodes <= 1e6)) {
        candidate.refusal = Infeasible{"more than a million nodes"};
        return;
    }
    candidate.nodes_needed = static_cast<int>(nodes);
    candidate.nodes = candidate.nodes_needed + scenario_->spares;
    candidate.gpus = candidate.nodes * d.node->gpus;
    candidate.at_load = at_nodes(forecaster, d, candidate.nodes_needed);
    if (d.instances_on(candidate.nodes - 1) == 0) return;
    candidate.one_node_down = at_nodes(forecaster, d, candidate.nodes - 1);
    candidate.survives_one_node_down = !candidate.one_node_down->overloaded &&
                                       candidate.one_node_down->latencies.worst_ratio(scenario_->slo) <= 1.0 + 1e-9;
}

}  // namespace plimsoll
