#include <array>
#include <cmath>

#include <fmt/format.h>

#include "cli/plan_document.hpp"
#include "model/capacity/judge.hpp"

namespace plimsoll {
namespace {

Cell range(Interval interval) {
    if (!std::isfinite(interval.low) || !std::isfinite(interval.high)) return {};
    return {to_text(Cell(Kind::seconds, interval.low)) + " to " + to_text(Cell(Kind::seconds, interval.high))};
}

Row latency_row(const Candidate& best, Metric metric) {
    constexpr std::array<std::string_view, metric_names.size()> titles{"TTFT", "TPOT", "to last token"};
    const auto m = static_cast<std::size_t>(metric);
    Row row{best.deployment.node->name, titles[m]};
    for (const Statistic statistic : {Statistic::mean, Statistic::p50, Statistic::p95, Statistic::p99}) {
        row.push_back(best.at_load.overloaded ? Cell() : Cell(best.at_load.latencies[metric][statistic]));
        row.emplace_back(best.simulated->latencies[metric][statistic]);
        row.push_back(range(best.simulated->ci95[m][static_cast<std::size_t>(statistic)]));
    }
    return row;
}

/// `all`: users of the whole load, beyond which nobody looks.
std::string simulated_sentence(const Candidate& best, double all) {
    if (!best.simulated) return "";
    const Simulated& s = *best.simulated;
    if (!s.refusal.empty()) return " It could not be simulated: " + s.refusal + ".";
    const double instances = best.deployment.instances_a_node();
    const bool closed = best.users_per_instance > 0;
    const double load = closed ? s.users_per_instance : s.rate_per_instance.value();
    if (!(load > 0)) return " In the simulation no load keeps the promises.";
    const bool forecast_all = best.users_per_instance >= all, simulated_all = load >= all;
    if (forecast_all && simulated_all) return " So it does in the simulation.";
    const Interval around = closed ? s.users_interval : s.rate_interval;
    const Cell nodes = Cell::count(s.nodes_needed);
    return fmt::format(" Simulated, {} (95 % interval {}) fit{}, which takes {} node{}: the forecast is {}{} {} that.",
                       plain_number(load * instances), interval_text({around.low * instances, around.high * instances}),
                       forecast_all ? " on a node" : "", to_text(nodes), s.nodes_needed == 1 ? "" : "s",
                       forecast_all || simulated_all ? "at least " : "", to_text(Cell::fraction(std::abs(s.gap))),
                       s.gap < 0 ? "below" : "above");
}

/// What the answer would hide: a wait for the first token that nobody has promised anything about, beyond the ten
/// seconds for which users stay with what they asked for (Nielsen, Usability Engineering, 1993, section 5.5).
std::string unpromised_wait(const Scenario& scenario, const Candidate& best) {
    constexpr Seconds patience(10.0);
    for (const SloTerm& term : scenario.slo.terms)
        if (term.metric != Metric::tpot) return "";
    const Seconds ttft = best.at_load.latencies[Metric::ttft][Statistic::mean];
    if (best.at_load.overloaded || ttft <= patience) return "";
    return fmt::format(" Nothing is promised about the first token, which comes after {} in the mean.", to_text(ttft));
}

}  // namespace

std::string requests_a_second(double rate) {
    return plain_number(rate) + (rate == 1.0 ? " request/s" : " requests/s");
}

std::string capacity_sentences(const Scenario& scenario, const Candidate& best) {
    const bool closed = scenario.load.kind == Load::Kind::closed;
    // Nobody looks for more users than there are.
    const double all = closed ? std::ceil(demand_of(scenario) - 1e-9) : HUGE_VAL;
    const Forecast& limit = best.at_capacity;
    if (best.users_per_instance >= all)
        return fmt::format(" One instance carries all users; more would bring it to its limits by {}, then {}.",
                           to_string(limit.binding), to_string(limit.next)) +
               simulated_sentence(best, all) + unpromised_wait(scenario, best);
    return fmt::format(" {} fit on a node, bound by {}, then {}.",
                       closed ? to_text(Cell::count(best.users_per_node)) + " users"
                              : requests_a_second(best.rate_per_node.value()),
                       to_string(limit.binding), to_string(limit.next)) +
           simulated_sentence(best, all) + unpromised_wait(scenario, best);
}

Table simulated_latencies(const Plan& plan, const Transformer* model) {
    Table table{"", "Latencies at the planned load: forecast, simulated, and its 95 % interval", {}, {}, true};
    table.columns = {{"", "node", 0}, {"", "latency", 0}};
    int priority = 0;
    for (const char* statistic : {"mean", "p50", "p95", "p99"}) {
        const std::string name = statistic;
        const int shown = name == "p50" ? 3 : priority++;
        table.columns.push_back({"", name, shown});
        table.columns.push_back({"", name + " simulated", shown});
        table.columns.push_back({"", name + " interval", shown + 3});
    }
    for (const Answer& answer : plan.answers)
        if (answer.model == model && answer.best && answer.best->simulated && answer.best->simulated->refusal.empty())
            for (const Metric metric : {Metric::ttft, Metric::tpot, Metric::e2e})
                table.rows.push_back(latency_row(*answer.best, metric));
    return table;
}

}  // namespace plimsoll
