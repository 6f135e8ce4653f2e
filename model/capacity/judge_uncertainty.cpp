#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "model/capacity/judge.hpp"
#include "model/cost/beyond_measured.hpp"

namespace plimsoll {
namespace {

/// Change of the logarithm of the time by one standard deviation of each cause, in the mean of more and less: where
/// launches and GPU take about as long, the two differ.
struct Sensitivities {
    ByCause<double> decode, prefill;
};

Sensitivities sensitivities(const StepCost& cost, const Deployment& deployment, const ByCause<double>& spread,
                            const StepShape& decode, const StepShape& prefill) {
    Sensitivities result;
    const auto moved = [&](std::size_t cause, double by) {
        ByCause<double> z;
        z.values[cause] = by;
        return cost.logarithms(deployment, TimeFactors(spread, z), {decode, prefill});
    };
    for (std::size_t i = 0; i < cause_count; ++i) {
        if (spread.values[i] == 0.0) continue;
        const auto more = moved(i, 1.0), less = moved(i, -1.0);
        result.decode.values[i] = (more[0] - less[0]) / 2.0;
        result.prefill.values[i] = (more[1] - less[1]) / 2.0;
    }
    return result;
}

/// The causes where a surface is evaluated: `point` along the main directions, and what the others come to there in
/// the mean. Of a factor exp(d z) whose parts p_k along the directions v_k are known, the mean is
/// exp(d sum p_k v_k + d^2 (1 - sum v_k^2) / 2), and a time is a sum of many: its median is near its mean, above the
/// sum of the medians.
ByCause<double> causes_at(const Surface::Point& point, const std::vector<ByCause<double>>& ways,
                          const ByCause<double>& spread) {
    ByCause<double> z;
    for (std::size_t i = 0; i < cause_count; ++i) {
        double known = 0;
        for (std::size_t way = 0; way < ways.size(); ++way) {
            const double along = ways[way].values[i];
            z.values[i] += point[way] * along;
            known += along * along;
        }
        z.values[i] += 0.5 * spread.values[i] * (1.0 - known);
    }
    return z;
}

/// The medians of the constants do better than the median of the draws: rarely, beyond nine tenths of them.
Interval around(double forecast, Interval middle) {
    return {std::min(middle.low, forecast), std::max(middle.high, forecast)};
}

/// Capacities are kept as logarithms, latencies as the negative of their reciprocals: a wait is in proportion to 1 /
/// (capacity - load), so that both are closer to straight lines than the values, and an overload is but a zero.
Interval capacities(Interval kept) {
    return {std::exp(kept.low), std::exp(kept.high)};
}
Interval latencies_of(Interval kept) {
    return {latency_of_rank(kept.low), latency_of_rank(kept.high)};
}

}  // namespace

/// Values of everything that an interval is asked of, at the points of the surfaces.
struct Judge::Evaluations {
    bool closed;
    Seconds front_end;               ///< median
    double front_end_deviation = 0;  ///< of its logarithm
    std::vector<double> capacity{};
    std::array<std::array<std::vector<double>, statistic_names.size()>, metric_names.size()> latencies{};

    /// Latencies without the front end, whose error is that of a delay that is added, as nothing in the steps is.
    void add(double carried, const Forecast& forecast, Seconds front_end_there) {
        // Half a user where one is too many, so that there is a logarithm.
        capacity.push_back(std::log(closed ? std::max(0.5, carried) : carried));
        for (std::size_t m = 0; m < metric_names.size(); ++m)
            for (std::size_t s = 0; s < statistic_names.size(); ++s) {
                const auto metric = static_cast<Metric>(m);
                const Seconds before = passes_front_end(metric) ? front_end_there : Seconds(0);
                const Seconds latency = forecast.latencies[metric][static_cast<Statistic>(s)] - before;
                latencies[m][s].push_back(forecast.overloaded ? 0.0 : rank_of_latency(latency.value()));
            }
    }
    /// A cache that holds no request.
    void add_nothing() {
        capacity.push_back(closed ? std::log(0.5) : -HUGE_VAL);
        for (auto& metric : latencies)
            for (auto& statistic : metric) statistic.push_back(0.0);
    }
    [[nodiscard]] Surface latency(Metric metric, Statistic statistic) const {
        const Surface engine(latencies[static_cast<std::size_t>(metric)][static_cast<std::size_t>(statistic)]);
        return passes_front_end(metric) ? engine.delayed(front_end, front_end_deviation) : engine;
    }
    static bool passes_front_end(Metric metric) { return metric != Metric::tpot; }
};

StepShape Judge::typical_step(const Candidate& candidate) const {
    const Workload& workload = scenario_->workload;
    const Forecast& forecast = candidate.at_capacity;
    const double batch = std::max(1.0, forecast.running), prompt = workload.prompt.mean();
    const double before_first_token = forecast.request_rate * forecast.latencies[Metric::ttft][Statistic::mean];
    const double budget = step_tokens(candidate.deployment);
    const double prompts = std::max(1.0, std::min(before_first_token - forecast.waiting, budget / prompt));
    return {.prefill_sequences = prompts,
            .prefill_tokens = prompts * prompt,
            .attention_pairs = prompts * causal_pairs(prompt, 0.0),
            .decode_sequences = batch,
            .context_tokens = batch * (prompt + workload.output.mean() / 2.0)};
}

std::vector<ByCause<double>> Judge::directions(const StepCost& cost, const Candidate& candidate,
                                               const ByCause<double>& spread) const {
    const StepShape step = typical_step(candidate);
    const bool together = candidate.deployment.engine->scheduling == Scheduling::chunked;
    const Sensitivities found =
        sensitivities(cost, candidate.deployment, spread, decodes_of(step), together ? step : prompts_of(step));
    return main_directions(found.decode, found.prefill);
}

bool Judge::memory_counts(const StepCost& cost, const Candidate& candidate) const {
    // Far from a full cache, and where less of it changes nothing, two directions are enough.
    constexpr double full = 0.5, change = 0.005;
    const Deployment& d = candidate.deployment;
    if (candidate.memory.deviation <= Bytes(0)) return false;
    if (candidate.at_capacity.running < full * candidate.largest_batch) return false;
    const MemoryBudget less = with_more_kv(candidate.memory, *d.engine, candidate.memory.deviation * -1.0);
    if (largest_batch(less, d, scenario_->workload) < 1.0) return true;
    const InstanceModel model(cost, d, less, scenario_->workload, think_shape());
    Forecaster forecaster(model);
    return most_carried(forecaster) < (1.0 - change) * carried(candidate);
}

void Judge::evaluate(const StepCost& cost, const Candidate& candidate, const MemoryBudget& budget,
                     Evaluations& all) const {
    const Deployment& d = candidate.deployment;
    const InstanceModel model(cost, d, budget, scenario_->workload, think_shape());
    Forecaster forecaster(model);
    const double most = most_carried(forecaster);
    all.add(most, at_nodes(forecaster, d, candidate.nodes_needed), cost.front_end());
}

void Judge::add_uncertainty(Candidate& candidate) const {
    const Deployment& d = candidate.deployment;
    const StepCost nominal(*architecture_, d);
    std::vector<Operator> operators;
    nominal.operators(typical_step(candidate), operators);
    const ByCause<double> spread = deviations(d, operators, nominal.kernels());
    const std::vector<ByCause<double>> ways = directions(nominal, candidate, spread);
    const bool memory = memory_counts(nominal, candidate);
    Evaluations all{
        .closed = closed(), .front_end = nominal.front_end(), .front_end_deviation = spread[Cause::host_front_end]};
    for (const Surface::Point& point : Surface::points(ways.size() + (memory ? 1 : 0))) {
        const Bytes more = memory ? candidate.memory.deviation * point[ways.size()] : Bytes(0);
        const MemoryBudget budget = with_more_kv(candidate.memory, *d.engine, more);
        if (largest_batch(budget, d, scenario_->workload) < 1.0) {
            all.add_nothing();
        } else {
            evaluate(StepCost(nominal, d, TimeFactors(spread, causes_at(point, ways, spread))), candidate, budget, all);
        }
    }
    Uncertainty result;
    const Surface capacity(all.capacity);
    const auto whole_users = [&](double users) { return closed() ? std::floor(users + 1e-9) : users; };
    result.capacity = around(carried(candidate), capacities(capacity.middle_80_percent()));
    result.capacity = {whole_users(result.capacity.low), whole_users(result.capacity.high)};
    if (scenario_->confidence)
        result.sure_capacity = whole_users(std::exp(capacity.quantile(1.0 - *scenario_->confidence)));
    result.nodes = {nodes_for(*scenario_, d, result.capacity.high), nodes_for(*scenario_, d, result.capacity.low)};
    for (std::size_t m = 0; m < metric_names.size(); ++m)
        for (std::size_t s = 0; s < statistic_names.size(); ++s) {
            const auto metric = static_cast<Metric>(m);
            const auto statistic = static_cast<Statistic>(s);
            result.latencies[m][s] = around(candidate.at_load.latencies[metric][statistic].value(),
                                            latencies_of(all.latency(metric, statistic).middle_80_percent()));
        }
    std::vector<Surface> promised;
    std::vector<double> limits;
    for (const SloTerm& term : scenario_->slo.terms) {
        promised.push_back(all.latency(term.metric, term.statistic));
        limits.push_back(rank_of_latency(term.limit.value() * (1.0 + 1e-9)));
    }
    result.promise_probability = probability_of_at_most(promised, limits);
    result.beyond_measured = beyond_measured(d, operators);
    candidate.uncertainty = std::move(result);
}

void Judge::make_sure(Forecaster& forecaster, Candidate& candidate) const {
    constexpr int tries = 12;
    constexpr double growth = 1.05;  // each try; the capacity tells nearly what is needed
    const double wanted = *scenario_->confidence;
    const int hosts = candidate.deployment.hosts_per_instance;
    add_uncertainty(candidate);
    double nodes = nodes_for(*scenario_, candidate.deployment, candidate.uncertainty->sure_capacity);
    for (int i = 0; i < tries && candidate.uncertainty->promise_probability < wanted && std::isfinite(nodes); ++i) {
        size(forecaster, candidate, std::max(nodes, static_cast<double>(candidate.nodes_needed + hosts)));
        if (candidate.refusal) break;
        add_uncertainty(candidate);
        nodes = hosts * std::ceil(growth * candidate.nodes_needed / hosts);
    }
    if (candidate.uncertainty->promise_probability < wanted && !candidate.refusal)
        candidate.refusal = Infeasible{
            fmt::format("the promises are kept with {:.0f} % on {} nodes, less than the {:.0f} % asked for, and more "
                        "nodes add little",
                        100.0 * candidate.uncertainty->promise_probability, candidate.nodes_needed, 100.0 * wanted)};
    if (candidate.refusal) candidate.uncertainty.reset();
}

}  // namespace plimsoll
