#include "scenarios/referee.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "model/capacity/judge.hpp"
#include "simulator/capacity_search.hpp"

namespace plimsoll {
namespace {

/// How much is simulated.
struct Effort {
    SteadyRuns runs;
    std::uint32_t replications, most_replications, replications_at_load;
    double tolerance;  ///< of the capacity, relative
};
constexpr Effort fast{.runs = {.least_requests = 1500, .cycles = 12},
                      .replications = 4,
                      .most_replications = 8,
                      .replications_at_load = 4,
                      .tolerance = 0.01};
constexpr Effort full{.runs = {.least_requests = 5000, .cycles = 30},
                      .replications = 4,
                      .most_replications = 16,
                      .replications_at_load = 8,
                      .tolerance = 0.005};

bool is_closed(const Scenario& scenario) {
    return scenario.load.kind == Load::Kind::closed;
}

/// One candidate before the simulator.
class Finalist {
  public:
    Finalist(const Scenario& scenario, const RefereeSettings& settings, const Candidate& candidate)
        : scenario_(scenario),
          effort_(settings.level == RefereeLevel::full ? full : fast),
          seed_(settings.seed),
          candidate_(candidate),
          instance_(candidate.deployment, &scenario.workload) {}

    [[nodiscard]] Simulated judged(std::uint32_t threads) const {
        Simulated result;
        run_planned_load(threads, result);
        if (result.refused_share > most_refused) return refused(result.refused_share);
        search(threads, result);
        return result;
    }

  private:
    [[nodiscard]] Simulated refused(double share) const {
        Simulated result;
        result.refusal = candidate_.deployment.engine->name + " refuses " + std::to_string(std::lround(100.0 * share)) +
                         " % of the requests, which are too long for it";
        return result;
    }
    [[nodiscard]] double demand() const { return demand_of(scenario_); }

    /// Runs under a load of so many users or requests a second, in steady state.
    [[nodiscard]] SimulationSetup setup(double load) const {
        SimulationSetup setup(instance_);
        LoadPlan& plan = setup.load;
        plan.seed = seed_;
        plan.prompt = scenario_.workload.prompt;
        plan.output = scenario_.workload.output;
        plan.max_output = static_cast<std::uint32_t>(candidate_.deployment.engine->reserved_output_tokens.value_or(0));
        plan.slo = scenario_.slo;
        double places = open_places(candidate_.at_capacity.running);
        if (is_closed(scenario_)) {
            plan.kind = "closed";
            plan.users = static_cast<std::uint32_t>(load);
            plan.think_time = scenario_.load.think_time;
            places = load;
        } else {
            plan.rate = PerSecond(load);
        }
        run_steadily(setup, places, effort_.runs);
        return setup;
    }

    void run_planned_load(std::uint32_t threads, Simulated& result) const {
        const Forecast& planned = candidate_.at_load;
        const std::vector<SimulationResult> runs =
            simulate_replications(setup(is_closed(scenario_) ? planned.users : planned.offered_rate.value()),
                                  effort_.replications_at_load, threads);
        const Report report = combined(runs).report;
        result.latencies = report.latencies();
        result.refused_share = report.error_rate.value;
        const std::array measures{Measure::ttft, Measure::tpot, Measure::e2e};
        for (std::size_t m = 0; m < measures.size(); ++m) {
            const MeasureSummary& summary = report[measures[m]];
            result.ci95[m][0] = {summary.mean.low(), summary.mean.high()};
            for (std::size_t q = 0; q < summary.percentiles.size(); ++q)
                result.ci95[m][q + 1] = summary.percentiles[q].ci95;
        }
        for (const SimulationResult& run : runs) result.requests += run.counts.requests + run.counts.refused;
    }

    void search(std::uint32_t threads, Simulated& result) const {
        const bool whole = is_closed(scenario_);
        const double forecast = whole ? candidate_.users_per_instance : candidate_.rate_per_instance.value();
        const SearchSettings settings{.least = whole ? 1.0 : forecast * 1e-3,
                                      .most = whole ? std::max(1.0, std::ceil(demand())) : forecast * 10.0,
                                      .guess = forecast,
                                      .whole = whole,
                                      .tolerance = effort_.tolerance,
                                      .replications = effort_.replications,
                                      .most_replications = effort_.most_replications,
                                      .threads = threads};
        const SearchResult found = search_capacity(settings, [&](double load) { return setup(load); });
        for (const Trial& trial : found.trials)
            result.requests += trial.ratios.size() * setup(trial.load).limits.requests;
        if (whole) {
            result.users_per_instance = found.highest;
            result.users_interval = found.ci95;
        } else {
            result.rate_per_instance = PerSecond(found.highest);
            result.rate_interval = found.ci95;
        }
        const auto nodes = [&](double load) { return nodes_for(scenario_, candidate_.deployment, load); };
        result.nodes_needed = nodes(found.highest);
        result.nodes_interval = {nodes(found.ci95.high), nodes(found.ci95.low)};
        result.gap = forecast / found.highest - 1.0;
    }

    const Scenario& scenario_;
    Effort effort_;
    std::uint64_t seed_;
    const Candidate& candidate_;
    Instance instance_;
};

/// Whether a runner-up is near enough to its best to be judged too.
bool is_near(const Candidate& candidate, const Candidate& best) {
    constexpr double most = 1.2;
    if (candidate.cost && best.cost) return candidate.cost->value() <= most * best.cost->value();
    return candidate.gpus <= most * best.gpus;
}

std::vector<Candidate*> finalists(RefereeLevel level, Plan& plan) {
    std::vector<Candidate*> all;
    for (Answer& answer : plan.answers) {
        if (!answer.best) continue;
        all.push_back(&*answer.best);
        if (level != RefereeLevel::full) continue;
        for (Candidate& candidate : answer.runners_up)
            if (is_near(candidate, *answer.best)) all.push_back(&candidate);
    }
    return all;
}

}  // namespace

void referee(const Scenario& scenario, const RefereeSettings& settings, Plan& plan) {
    if (settings.level == RefereeLevel::none) return;
    const std::vector<Candidate*> candidates = finalists(settings.level, plan);
    const auto count = static_cast<std::uint32_t>(candidates.size());
    // Candidates side by side; what threads they leave go into the replications of each.
    const std::uint32_t inner = std::max(1U, settings.threads / std::max(1U, count));
    in_parallel(count, settings.threads, [&](std::uint32_t i) {
        Candidate& candidate = *candidates[i];
        try {
            candidate.simulated = Finalist(scenario, settings, candidate).judged(inner);
        } catch (const InputError& error) {
            candidate.simulated.emplace().refusal = error.what();
        }
    });
}

}  // namespace plimsoll
