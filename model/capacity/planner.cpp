#include "model/capacity/planner.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "model/base/units_text.hpp"
#include "model/capacity/forecaster.hpp"

namespace plimsoll {
namespace {

Split split_of(const Deployment& d) {
    return {.tensor = d.tensor_parallel, .pipeline = d.pipeline_parallel};
}

std::vector<int> powers_of_two(int most) {
    std::vector<int> values;
    for (int value = 1; value <= most; value *= 2) values.push_back(value);
    return values;
}

/// Weight dtypes to try: the scenario's, or the 16-bit type that both model and GPU know.
std::vector<Dtype> weights_to_try(const Scenario& scenario, const Transformer& model, const Gpu& gpu) {
    if (!scenario.weights.empty()) return scenario.weights;
    return {model.native_dtype == Dtype::bf16 && gpu.supports(Dtype::bf16) ? Dtype::bf16 : Dtype::fp16};
}

/// Pipeline degrees to try: the scenario's, or none at all unless the weights need more GPUs than a node can split by
/// tensors alone.
std::vector<int> pipelines_to_try(const Scenario& scenario) {
    return scenario.pipeline_parallel.empty() ? std::vector<int>{1} : scenario.pipeline_parallel;
}

/// One way to use a node, judged under the scenario's load.
class Judge {
  public:
    Judge(const Scenario& scenario, const Architecture& architecture)
        : scenario_(scenario), architecture_(architecture) {}

    [[nodiscard]] Candidate operator()(const Deployment& deployment) const {
        Candidate candidate;
        candidate.deployment = deployment;
        candidate.refusal = refuse(deployment);
        if (candidate.refusal) return candidate;
        candidate.memory = memory_budget(architecture_, deployment);
        candidate.refusal = candidate.memory.refusal(*deployment.gpu);
        if (candidate.refusal) return candidate;
        candidate.largest_batch = largest_batch(candidate.memory, deployment, scenario_.workload);
        if (candidate.largest_batch < 1.0) {
            candidate.refusal = Infeasible{"the KV cache holds " + whole(candidate.memory.kv_tokens) +
                                           " tokens, less than one request takes"};
            return candidate;
        }
        const StepCost cost(architecture_, deployment);
        const InstanceModel model(cost, deployment, candidate.memory, scenario_.workload);
        Forecaster forecaster(model);
        find_capacity(forecaster, candidate);
        if (!candidate.refusal) candidate.origin = cost.origin();
        if (!candidate.refusal) size(forecaster, candidate);
        if (!candidate.refusal) price(candidate);
        return candidate;
    }

    /// Nodes with the times of all operators one standard deviation and a bit (80 %) shorter and longer.
    void add_interval(Candidate& candidate) const {
        const StepCost cost(architecture_, candidate.deployment);
        const double spread = 1.2816 * relative_deviation(cost, candidate);
        const auto users_at = [&](double scale) {
            const InstanceModel model(cost, candidate.deployment, candidate.memory, scenario_.workload, scale);
            Forecaster forecaster(model);
            const Capacity capacity = capacity_of(forecaster);
            return closed() ? capacity.users : capacity.rate.value();
        };
        const double low = users_at(1.0 + spread), high = users_at(1.0 / (1.0 + spread));
        const double per_node = candidate.deployment.instances_per_node * (1.0 - scenario_.headroom);
        candidate.users_interval = {low, high};
        candidate.nodes_interval = {std::ceil(demand() / (high * per_node)),
                                    low > 0 ? std::ceil(demand() / (low * per_node)) : HUGE_VAL};
    }

  private:
    [[nodiscard]] bool closed() const { return scenario_.load.kind == Load::Kind::closed; }
    [[nodiscard]] Seconds think_time() const { return Seconds(scenario_.load.think_time.mean()); }
    /// Users or requests a second in all.
    [[nodiscard]] double demand() const {
        return closed() ? scenario_.load.concurrent_users() : scenario_.load.peak_rate().value();
    }
    [[nodiscard]] static std::string whole(double value) { return std::to_string(static_cast<long long>(value)); }

    [[nodiscard]] std::optional<Infeasible> refuse(const Deployment& d) const {
        if (const auto why = architecture_.refusal(split_of(d))) return Infeasible{*why};
        if (d.gpus_per_instance() * d.instances_per_node > d.node->gpus)
            return Infeasible{std::to_string(d.instances_per_node) + " instances of " +
                              std::to_string(d.gpus_per_instance()) + " GPUs on a node of " +
                              std::to_string(d.node->gpus)};
        const std::string weights(to_string(d.weights));
        if (std::find(d.engine->weights.begin(), d.engine->weights.end(), d.weights) == d.engine->weights.end())
            return Infeasible{d.engine->name + " does not run " + weights + " weights"};
        if (!d.gpu->supports(arithmetic_dtype(d.weights)))
            return Infeasible{d.gpu->name + " has no " + std::string(to_string(arithmetic_dtype(d.weights))) +
                              " arithmetic"};
        return refuse_lengths(d);
    }

    /// The longest of a hundred requests must be within what model and engine take.
    [[nodiscard]] std::optional<Infeasible> refuse_lengths(const Deployment& d) const {
        const double prompt = scenario_.workload.prompt.quantile(0.99),
                     output = scenario_.workload.output.quantile(0.99);
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

    [[nodiscard]] Capacity capacity_of(Forecaster& forecaster) const {
        return closed() ? closed_capacity(forecaster, think_time(), scenario_.slo, demand())
                        : open_capacity(forecaster, scenario_.slo);
    }

    void find_capacity(Forecaster& forecaster, Candidate& candidate) const {
        const Capacity capacity = capacity_of(forecaster);
        candidate.at_capacity = capacity.forecast;
        candidate.users_per_instance = capacity.users;
        candidate.rate_per_instance = capacity.rate;
        if (capacity.rate <= PerSecond(0)) {
            candidate.refusal = Infeasible{broken_promise(capacity.forecast)};
            return;
        }
        const double instances = candidate.deployment.instances_per_node;
        candidate.users_per_node = capacity.users * instances;
        candidate.rate_per_node = capacity.rate * instances;
    }

    [[nodiscard]] std::string broken_promise(const Forecast& forecast) const {
        std::string text = closed() ? "with one user alone" : "hardly loaded";
        for (const SloTerm& term : scenario_.slo.terms) {
            const Seconds value = forecast.latencies[term.metric][term.statistic];
            if (value > term.limit)
                text += ", " + std::string(to_string(term.metric)) + " " + std::string(to_string(term.statistic)) +
                        " is " + to_text(value) + " (limit " + to_text(term.limit) + ")";
        }
        return text + "; " + std::string(to_string(forecast.binding)) + " takes most of it";
    }

    [[nodiscard]] Forecast at(Forecaster& forecaster, const Candidate& candidate, int nodes) const {
        const double share = demand() / (nodes * candidate.deployment.instances_per_node);
        Forecast forecast = closed()
                                ? forecaster.closed(static_cast<std::size_t>(std::max(1.0, std::ceil(share - 1e-9))),
                                                    think_time(), Detail::percentiles)
                                : forecaster.open(PerSecond(share), Detail::percentiles);
        name_constraints(forecaster.model(), scenario_.slo, forecast);
        return forecast;
    }

    void size(Forecaster& forecaster, Candidate& candidate) const {
        const double per_node =
            (closed() ? candidate.users_per_node : candidate.rate_per_node.value()) * (1.0 - scenario_.headroom);
        const double nodes = std::ceil(demand() / per_node * (1.0 - 1e-12));
        if (!(nodes < 1e6)) {
            candidate.refusal = Infeasible{"more than a million nodes"};
            return;
        }
        candidate.nodes_needed = std::max(1, static_cast<int>(nodes));
        candidate.nodes = candidate.nodes_needed + scenario_.spares;
        candidate.gpus = candidate.nodes * candidate.deployment.node->gpus;
        candidate.at_load = at(forecaster, candidate, candidate.nodes_needed);
        if (candidate.nodes > 1) {
            candidate.one_node_down = at(forecaster, candidate, candidate.nodes - 1);
            candidate.survives_one_node_down =
                !candidate.one_node_down->overloaded &&
                candidate.one_node_down->latencies.worst_ratio(scenario_.slo) <= 1.0 + 1e-9;
        }
    }

    /// Relative standard deviation of a step's time: the constants' deviations weighted by the share of time that each
    /// governs (first-order propagation).
    [[nodiscard]] double relative_deviation(const StepCost& cost, const Candidate& candidate) const {
        const Deployment& d = candidate.deployment;
        const auto relative = [](const Sourced<double>& c) { return c.standard_deviation / c.value; };
        const auto relative_time = [](const Sourced<Seconds>& c) {
            return c.value > Seconds(0) ? c.standard_deviation / c.value : 0.0;
        };
        const double running = std::max(1.0, candidate.at_capacity.running);
        const double context = scenario_.workload.prompt.mean() + scenario_.workload.output.mean() / 2.0;
        const StepParts parts = cost.parts({.decode_sequences = running, .context_tokens = running * context});
        const double total = parts.total.value();
        const auto& gemm = d.efficiency->gemm;
        const double host = std::hypot(relative_time(d.engine->host.per_layer), relative(d.node->host_speed));
        // The links' data carry no deviation; two laboratories' collectives differ by a tenth to a fifth.
        constexpr double collectives = 0.15;
        const double hidden =
            parts.host_launches > parts.total - parts.host_serial - parts.host_launches * 0.001 ? 1.0 : 0.0;
        const double gpu = 1.0 - hidden;
        const double sum =
            std::pow(gpu * parts.weights_read.value() / total * relative(gemm.memory_efficiency), 2) +
            std::pow(gpu * parts.compute.value() / total * relative(gemm.compute_efficiency), 2) +
            std::pow(gpu * parts.kv_read.value() / total * relative(d.efficiency->decode_attention.memory_efficiency),
                     2) +
            std::pow(gpu * parts.communication.value() / total * collectives, 2) +
            std::pow(hidden * parts.host_launches.value() / total * host, 2) +
            std::pow(parts.host_serial.value() / total * relative_time(d.engine->host.per_step), 2);
        return std::sqrt(sum);
    }

    /// Power at the planned load: GPUs draw a third of their limit when idle and the rest with the time they work.
    void price(Candidate& candidate) const {
        const Deployment& d = candidate.deployment;
        const CostTerms& terms = scenario_.cost;
        const double used = static_cast<double>(d.gpus_per_instance() * d.instances_per_node) / d.node->gpus;
        constexpr double idle = 0.3;
        const double busy = used * std::min(1.0, candidate.at_load.running);
        const Watts node =
            d.gpu->power.value * (d.node->gpus * (idle + (1.0 - idle) * busy)) + d.node->host_power.value;
        candidate.power = node * (candidate.nodes * terms.pue);
        const double tokens = tokens_per_second(candidate);
        candidate.energy_per_token = tokens > 0 ? Joules(candidate.power.value() / tokens) : Joules(0);
        candidate.origin = weakest(candidate.origin, d.node->host_power.origin);

        const auto per_node = terms.rented ? rental(d, candidate.cost_unknown) : purchase(d, candidate.cost_unknown);
        if (!per_node) return;
        DollarsPerSecond cost = *per_node * static_cast<double>(candidate.nodes);
        if (!terms.rented) cost += candidate.power * terms.tariff;
        candidate.cost = cost;
        if (tokens > 0) candidate.cost_per_million_tokens = Dollars(cost.value() / tokens * 1e6);
    }

    [[nodiscard]] static double tokens_per_second(const Candidate& candidate) {
        return candidate.at_load.output_tokens_per_s * candidate.nodes_needed * candidate.deployment.instances_per_node;
    }

    [[nodiscard]] std::optional<DollarsPerSecond> rental(const Deployment& d, std::string& unknown) const {
        if (scenario_.cost.rental_per_gpu) return *scenario_.cost.rental_per_gpu * static_cast<double>(d.node->gpus);
        if (d.gpu->rental) return d.gpu->rental->value * static_cast<double>(d.node->gpus);
        unknown = "rental price of " + d.gpu->name;
        return std::nullopt;
    }

    [[nodiscard]] std::optional<DollarsPerSecond> purchase(const Deployment& d, std::string& unknown) const {
        if (!d.gpu->list_price)
            unknown = "list price of " + d.gpu->name;
        else if (!d.node->host_price)
            unknown = "host price of " + d.node->name;
        if (!unknown.empty()) return std::nullopt;
        return (d.gpu->list_price->value * static_cast<double>(d.node->gpus) + d.node->host_price->value) /
               scenario_.cost.amortization;
    }

    const Scenario& scenario_;
    const Architecture& architecture_;
};

/// All ways to use one node type for one model, in a fixed order.
std::vector<Deployment> deployments(const Scenario& scenario, const Transformer& model, const Node& node,
                                    Catalog& catalog) {
    std::vector<Deployment> result;
    Deployment d{.node = &node, .gpu = &catalog.gpus.at(node.gpu, node.name), .model = &model};
    d.efficiency = &catalog.classes.at(d.gpu->efficiency_class, d.gpu->name);
    d.kv = scenario.kv;
    const auto tensors = scenario.tensor_parallel.empty() ? powers_of_two(node.gpus) : scenario.tensor_parallel;
    for (const Engine* engine : scenario.engines)
        for (const Dtype weights : weights_to_try(scenario, model, *d.gpu))
            for (const int tensor : tensors)
                for (const int pipeline : pipelines_to_try(scenario)) {
                    d.engine = engine;
                    d.weights = weights;
                    d.tensor_parallel = tensor;
                    d.pipeline_parallel = pipeline;
                    const int fill = std::max(1, node.gpus / (tensor * pipeline));
                    for (const int instances :
                         scenario.instances_per_node.empty() ? std::vector<int>{fill} : scenario.instances_per_node)
                        for (const int sequences : scenario.max_sequences.empty()
                                                       ? std::vector<int>{engine->max_sequences}
                                                       : scenario.max_sequences) {
                            d.instances_per_node = instances;
                            d.max_sequences = std::min(sequences, engine->max_sequences);
                            result.push_back(d);
                        }
                }
    return result;
}

/// Cheaper first; where a price is unknown, fewer GPUs first, then less power.
bool better(const Candidate& a, const Candidate& b) {
    if (a.cost && b.cost && *a.cost != *b.cost) return *a.cost < *b.cost;
    if (a.gpus != b.gpus) return a.gpus < b.gpus;
    return a.power < b.power;
}

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
    if (!answer.best) return "none of " + std::to_string(refused) + " candidates is feasible";
    if (answer.runners_up.empty()) return "the only feasible candidate";
    const Candidate& next = answer.runners_up.front();
    if (answer.best->cost && next.cost) return "the cheapest";
    return answer.best->gpus < next.gpus ? "the fewest GPUs" : "the least power";
}

void compare(const Scenario& scenario, Answer& answer) {
    if (!answer.best) return;
    const Candidate& best = *answer.best;
    for (const MeasuredValue& m : scenario.measured) {
        if (m.model != answer.model || m.node != best.deployment.node) continue;
        const auto add = [&](const char* quantity, std::optional<double> measured, double predicted) {
            if (measured)
                answer.comparisons.push_back({quantity, *measured, predicted, predicted / *measured - 1.0, m.source});
        };
        const auto seconds = [](const std::optional<Seconds>& s) {
            return s ? std::optional<double>(s->value()) : std::nullopt;
        };
        add("nodes", m.nodes, best.nodes_needed);
        add("users per node", m.users_per_node, best.users_per_node);
        add("users per instance", m.users_per_instance, best.users_per_instance);
        add("TTFT mean", seconds(m.ttft_mean), best.at_capacity.latencies[Metric::ttft][Statistic::mean].value());
        add("TPOT mean", seconds(m.tpot_mean), best.at_capacity.latencies[Metric::tpot][Statistic::mean].value());
    }
}

/// Picks the best of the candidates of one answer, orders the rest.
Answer answer_from(const Scenario& scenario, const Transformer* model, const Node* node,
                   const std::vector<Candidate>& candidates, const Judge& judge) {
    Answer answer{.model = model, .node = node, .best = {}, .runners_up = {}, .reason = {}, .comparisons = {}};
    std::vector<Candidate> feasible;
    for (const Candidate& candidate : candidates)
        if (!candidate.refusal) feasible.push_back(candidate);
    std::stable_sort(feasible.begin(), feasible.end(), better);
    if (!feasible.empty()) {
        answer.best = feasible.front();
        answer.node = feasible.front().deployment.node;
        judge.add_interval(*answer.best);
        answer.runners_up.assign(feasible.begin() + 1, feasible.end());
    }
    answer.reason = reason_for(answer, candidates.size());
    compare(scenario, answer);
    return answer;
}

}  // namespace

bool Plan::feasible() const {
    return std::any_of(answers.begin(), answers.end(), [](const Answer& answer) { return answer.best.has_value(); });
}

Plan plan(const Scenario& scenario, Catalog& catalog) {
    Plan result;
    for (const Transformer* model : scenario.models) {
        const Architecture architecture(*model);
        const Judge judge(scenario, architecture);
        std::vector<Candidate> of_model;
        for (const Node* node : scenario.nodes) {
            std::vector<Candidate> of_node;
            for (const Deployment& deployment : deployments(scenario, *model, *node, catalog))
                of_node.push_back(judge(deployment));
            if (scenario.compare_nodes) result.answers.push_back(answer_from(scenario, model, node, of_node, judge));
            of_model.insert(of_model.end(), of_node.begin(), of_node.end());
        }
        if (!scenario.compare_nodes) result.answers.push_back(answer_from(scenario, model, nullptr, of_model, judge));
        result.candidates.insert(result.candidates.end(), of_model.begin(), of_model.end());
    }
    mark_pareto(result.candidates);
    return result;
}

}  // namespace plimsoll
