#include "model/capacity/planner.hpp"

#include <algorithm>
#include <iterator>
#include <span>

#include "model/base/parallel.hpp"
#include "model/capacity/deployments.hpp"
#include "model/capacity/judge.hpp"

namespace plimsoll {
namespace {

/// Cheapest first where all prices are known; otherwise fewest GPUs first, then least power.
void rank(std::vector<Candidate>& feasible) {
    const bool priced = std::all_of(feasible.begin(), feasible.end(), [](const Candidate& c) { return c.cost; });
    std::stable_sort(feasible.begin(), feasible.end(), [&](const Candidate& a, const Candidate& b) {
        if (priced && *a.cost != *b.cost) return *a.cost < *b.cost;
        if (a.gpus != b.gpus) return a.gpus < b.gpus;
        return a.power < b.power;
    });
}

/// No dearer (in GPUs where a price is unknown), no more power, no slower between tokens, and better in one of these.
bool dominates(const Candidate& a, const Candidate& b) {
    if (a.cost.has_value() != b.cost.has_value()) return false;
    const Seconds ta = a.at_load.latencies[Metric::tpot][Statistic::mean];
    const Seconds tb = b.at_load.latencies[Metric::tpot][Statistic::mean];
    const double ca = a.cost ? a.cost->value() : a.gpus, cb = b.cost ? b.cost->value() : b.gpus;
    const bool no_worse = ca <= cb && a.power <= b.power && ta <= tb;
    return no_worse && (ca < cb || a.power < b.power || ta < tb);
}

void mark_pareto(std::vector<Candidate>& candidates) {
    for (Candidate& one : candidates)
        one.pareto = !one.refusal && std::none_of(candidates.begin(), candidates.end(), [&](const Candidate& other) {
            return !other.refusal && other.deployment.model == one.deployment.model && dominates(other, one);
        });
}

std::string reason_for(const Answer& answer, std::size_t refused) {
    if (answer.nearest) return answer.nearest->refusal->why;
    if (!answer.best) return "none of " + std::to_string(refused) + " candidates is feasible";
    if (answer.runners_up.empty()) return "the only feasible candidate";
    const Candidate &best = *answer.best, &next = answer.runners_up.front();
    const bool priced = best.cost && std::all_of(answer.runners_up.begin(), answer.runners_up.end(),
                                                 [](const Candidate& c) { return c.cost; });
    if (priced && *best.cost < *next.cost) return "the cheapest";
    if (best.gpus < next.gpus) return priced ? "as cheap, with fewer GPUs" : "the fewest GPUs";
    return best.power < next.power ? "the least power" : "as good as the next";
}

/// Sets published values beside the feasible candidate of their layout, the best first.
void compare(const Scenario& scenario, Answer& answer) {
    if (!answer.best) return;
    const auto compare_with = [&](const MeasuredValue& m, const Candidate& c) {
        const Deployment& d = c.deployment;
        if (m.model != answer.model || m.node != d.node) return false;
        if (m.tensor_parallel != 0 && m.tensor_parallel != d.tensor_parallel) return false;
        if (m.instances_per_node != 0 && m.instances_per_node != d.instances_per_node) return false;
        const auto add = [&](const char* quantity, std::optional<double> measured, double predicted) {
            if (!measured) return;
            answer.comparisons.push_back({quantity, d, *measured, predicted, predicted / *measured - 1.0, m.source});
        };
        const auto seconds = [](const std::optional<Seconds>& s) {
            return s ? std::optional<double>(s->value()) : std::nullopt;
        };
        const bool closed = scenario.load.kind == Load::Kind::closed;
        // Without what the confidence adds.
        add("nodes", m.nodes, nodes_for(scenario, d, closed ? c.users_per_instance : c.rate_per_instance.value()));
        add("users per node", m.users_per_node, c.users_per_node);
        add("users per instance", m.users_per_instance, c.users_per_instance);
        add("TTFT mean", seconds(m.ttft_mean), c.at_capacity.latencies[Metric::ttft][Statistic::mean].value());
        add("TPOT mean", seconds(m.tpot_mean), c.at_capacity.latencies[Metric::tpot][Statistic::mean].value());
        return true;
    };
    for (const MeasuredValue& m : scenario.measured)
        if (!compare_with(m, *answer.best))
            std::any_of(answer.runners_up.begin(), answer.runners_up.end(),
                        [&](const Candidate& candidate) { return compare_with(m, candidate); });
}

/// The one that carries most within the bounds, by rank where several carry as much.
std::optional<Candidate> nearest_to_bounds(std::span<const Candidate> candidates) {
    std::vector<Candidate> beyond;
    std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(beyond),
                 [](const Candidate& c) { return c.within_bounds.has_value(); });
    if (beyond.empty()) return std::nullopt;
    rank(beyond);
    return *std::max_element(beyond.begin(), beyond.end(), [](const Candidate& a, const Candidate& b) {
        return a.within_bounds->carries_less_than(*b.within_bounds);
    });
}

/// Picks the best of the candidates of one answer, orders the rest.
Answer answer_from(const Scenario& scenario, const Transformer* model, const Node* node,
                   std::span<const Candidate> candidates) {
    Answer answer{
        .model = model, .node = node, .best = {}, .nearest = {}, .runners_up = {}, .reason = {}, .comparisons = {}};
    std::vector<Candidate> feasible;
    for (const Candidate& candidate : candidates)
        if (!candidate.refusal) feasible.push_back(candidate);
    rank(feasible);
    if (!feasible.empty()) {
        answer.best = feasible.front();
        answer.node = feasible.front().deployment.node;
        answer.runners_up.assign(feasible.begin() + 1, feasible.end());
    }
    if (!answer.best) answer.nearest = nearest_to_bounds(candidates);
    if (answer.nearest) answer.node = answer.nearest->deployment.node;
    answer.reason = reason_for(answer, candidates.size());
    compare(scenario, answer);
    return answer;
}

}  // namespace

bool Plan::feasible() const {
    return std::any_of(answers.begin(), answers.end(), [](const Answer& answer) { return answer.best.has_value(); });
}

Plan plan(const Scenario& scenario, Catalog& catalog, std::uint32_t threads) {
    Plan result;
    for (const Transformer* model : scenario.models) {
        const Architecture architecture(*model);
        const Judge judge(scenario, architecture);
        std::vector<Deployment> all;
        std::vector<std::size_t> ends;  // of each node's deployments
        for (const Node* node : scenario.nodes) {
            const std::vector<Deployment> of_node = deployments(scenario, architecture, *node, catalog);
            all.insert(all.end(), of_node.begin(), of_node.end());
            ends.push_back(all.size());
        }
        std::vector<Candidate> of_model(all.size());
        in_parallel(static_cast<std::uint32_t>(all.size()), threads,
                    [&](std::uint32_t i) { of_model[i] = judge(all[i]); });
        const std::size_t first = result.answers.size();
        for (std::size_t i = 0, begin = 0; scenario.compare_nodes && i < ends.size(); begin = ends[i++])
            result.answers.push_back(
                answer_from(scenario, model, scenario.nodes[i], std::span(of_model).subspan(begin, ends[i] - begin)));
        if (!scenario.compare_nodes) result.answers.push_back(answer_from(scenario, model, nullptr, of_model));
        in_parallel(static_cast<std::uint32_t>(result.answers.size() - first), threads, [&](std::uint32_t i) {
            if (auto& best = result.answers[first + i].best; best && !best->uncertainty) judge.add_uncertainty(*best);
        });
        result.candidates.insert(result.candidates.end(), of_model.begin(), of_model.end());
    }
    mark_pareto(result.candidates);
    return result;
}

}  // namespace plimsoll
