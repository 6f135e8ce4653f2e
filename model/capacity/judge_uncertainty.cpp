#include <algorithm>
#include <cmath>

#include "model/capacity/judge.hpp"
#include "model/cost/kernel_choice.hpp"

namespace plimsoll {
namespace {

/// Change of the logarithm of the time by one standard deviation of each cause.
struct Sensitivities {
    ByCause<double> decode, prefill;
};

Sensitivities sensitivities(const StepCost& cost, const Deployment& deployment, const ByCause<double>& spread,
                            const StepShape& decode, const StepShape& prefill) {
    Sensitivities result;
    const std::array<StepShape, 2> shapes{decode, prefill};
    const auto nominal = cost.logarithms(deployment, {}, shapes);
    for (std::size_t i = 0; i < cause_count; ++i) {
        if (spread.values[i] == 0.0) continue;
        ByCause<double> z;
        z.values[i] = 1.0;
        const auto moved = cost.logarithms(deployment, TimeFactors(spread, z), shapes);
        result.decode.values[i] = moved[0] - nominal[0];
        result.prefill.values[i] = moved[1] - nominal[1];
    }
    return result;
}

/// Logarithms are closer to straight lines than the times are.
Interval back(Interval of_logarithm) {
    return {std::exp(of_logarithm.low), std::exp(of_logarithm.high)};
}

}  // namespace

/// Values of everything that an interval is asked of, at the points of the surfaces.
struct Judge::Evaluations {
    bool closed;
    std::vector<double> capacity{}, worst_ratio{};
    std::array<std::array<std::vector<double>, statistic_names.size()>, metric_names.size()> latencies{};

    void add(double carried, const Forecast& forecast, const Slo& slo) {
        // Half a user where one is too many, so that there is a logarithm.
        capacity.push_back(std::log(closed ? std::max(0.5, carried) : carried));
        for (std::size_t m = 0; m < metric_names.size(); ++m)
            for (std::size_t s = 0; s < statistic_names.size(); ++s)
                latencies[m][s].push_back(
                    forecast.overloaded
                        ? HUGE_VAL
                        : std::log(forecast.latencies[static_cast<Metric>(m)][static_cast<Statistic>(s)].value()));
        worst_ratio.push_back(forecast.overloaded ? HUGE_VAL : std::log(forecast.latencies.worst_ratio(slo)));
    }
    /// A cache that holds no request.
    void add_nothing() {
        capacity.push_back(closed ? std::log(0.5) : -HUGE_VAL);
        for (auto& metric : latencies)
            for (auto& statistic : metric) statistic.push_back(HUGE_VAL);
        worst_ratio.push_back(HUGE_VAL);
    }
};

StepShape Judge::typical_step(const Candidate& candidate) const {
    const Workload& workload = scenario_->workload;
    const double batch = std::max(1.0, candidate.at_capacity.running), prompt = workload.prompt.mean();
    return {.prefill_sequences = 1.0,
            .prefill_tokens = prompt,
            .attention_pairs = causal_pairs(prompt, 0.0),
            .decode_sequences = batch,
            .context_tokens = batch * (prompt + workload.output.mean() / 2.0)};
}

std::vector<ByCause<double>> Judge::directions(const StepCost& cost, const Candidate& candidate,
                                               const ByCause<double>& spread) const {
    StepShape decode = typical_step(candidate), prefill = decode;
    decode.prefill_sequences = decode.prefill_tokens = decode.attention_pairs = 0.0;
    prefill.decode_sequences = prefill.context_tokens = 0.0;
    const Sensitivities found = sensitivities(cost, candidate.deployment, spread, decode, prefill);
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
    all.add(most, at_nodes(forecaster, d, candidate.nodes_needed), scenario_->slo);
}

void Judge::add_uncertainty(Candidate& candidate) const {
    const Deployment& d = candidate.deployment;
    const StepCost nominal(*architecture_, d);
    std::vector<Operator> operators;
    nominal.operators(typical_step(candidate), operators);
    const ByCause<double> spread = deviations(d, operators);
    const std::vector<ByCause<double>> ways = directions(nominal, candidate, spread);
    const bool memory = memory_counts(nominal, candidate);
    Evaluations all{.closed = closed()};
    for (const Surface::Point& point : Surface::points(ways.size() + (memory ? 1 : 0))) {
        ByCause<double> z;
        for (std::size_t way = 0; way < ways.size(); ++way)
            for (std::size_t i = 0; i < cause_count; ++i) z.values[i] += point[way] * ways[way].values[i];
        const Bytes more = memory ? candidate.memory.deviation * point[ways.size()] : Bytes(0);
        const MemoryBudget budget = with_more_kv(candidate.memory, *d.engine, more);
        if (point == Surface::Point{}) {
            all.add(carried(candidate), candidate.at_load, scenario_->slo);
        } else if (largest_batch(budget, d, scenario_->workload) < 1.0) {
            all.add_nothing();
        } else {
            evaluate(StepCost(nominal, d, TimeFactors(spread, z)), candidate, budget, all);
        }
    }
    Uncertainty result;
    result.capacity = back(Surface(all.capacity).middle_80_percent());
    if (closed()) result.capacity = {std::floor(result.capacity.low + 1e-9), std::floor(result.capacity.high + 1e-9)};
    result.nodes = {nodes_for(*scenario_, d, result.capacity.high), nodes_for(*scenario_, d, result.capacity.low)};
    for (std::size_t m = 0; m < metric_names.size(); ++m)
        for (std::size_t s = 0; s < statistic_names.size(); ++s)
            result.latencies[m][s] = back(Surface(all.latencies[m][s]).middle_80_percent());
    result.promise_probability = Surface(all.worst_ratio).probability_of_at_most(1e-9);
    result.beyond_measured = beyond_measured(d, operators);
    candidate.uncertainty = std::move(result);
}

}  // namespace plimsoll
