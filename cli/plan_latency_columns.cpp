#include "cli/plan_latency_columns.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace plimsoll {
namespace {

const SloTerm* term_for(const Slo& slo, Metric metric, Statistic statistic) {
    for (const SloTerm& term : slo.terms)
        if (term.metric == metric && term.statistic == statistic) return &term;
    return nullptr;
}

bool promises(const Slo& slo, Metric metric) {
    return std::any_of(slo.terms.begin(), slo.terms.end(), [=](const SloTerm& t) { return t.metric == metric; });
}

std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return result == "E2E" ? "to last token" : result;
}

void add_latency(const Candidate* candidate, std::size_t metric, std::size_t statistic, Row& row) {
    if (!candidate || candidate->at_load.overloaded) {
        row.insert(row.end(), 3, Cell());
        return;
    }
    row.emplace_back(candidate->at_load.latencies[static_cast<Metric>(metric)][static_cast<Statistic>(statistic)]);
    if (!candidate->uncertainty) {
        row.insert(row.end(), 2, Cell());
        return;
    }
    const Interval interval = candidate->uncertainty->latencies[metric][statistic];
    row.emplace_back(Kind::seconds, interval.low);
    row.emplace_back(Kind::seconds, interval.high);
}

/// The metrics and statistics that are simulated, in the order of their columns.
template <class Visit>
void for_each_simulated(Visit visit) {
    for (std::size_t m = 0; m < metric_names.size(); ++m)
        for (std::size_t s = 0; s < statistic_names.size(); ++s) visit(m, s);
}

}  // namespace

void add_latency_columns(const Scenario& scenario, bool verbose, std::vector<Column>& columns) {
    for (std::size_t m = 0; m < metric_names.size(); ++m)
        for (std::size_t s = 0; s < statistic_names.size(); ++s) {
            const auto metric = static_cast<Metric>(m);
            const auto statistic = static_cast<Statistic>(s);
            const bool promised = term_for(scenario.slo, metric, statistic) != nullptr;
            const bool mean = statistic == Statistic::mean && metric != Metric::e2e && !promises(scenario.slo, metric);
            const bool tail = verbose && (statistic == Statistic::mean || statistic == Statistic::p95);
            std::string title;
            if (promised || mean || tail) title = upper(to_string(metric)) + " " + std::string(to_string(statistic));
            const std::string key = fmt::format("{}_s.{}", to_string(metric), to_string(statistic));
            columns.push_back({key, title, promised ? 2 : (mean ? 4 : 6), false, metric == Metric::tpot ? "ms" : "s"});
            columns.push_back({key + "_interval.low", "", 0});
            columns.push_back({key + "_interval.high", "", 0});
        }
}

void add_latencies(const Candidate* candidate, Row& row) {
    for (std::size_t m = 0; m < metric_names.size(); ++m)
        for (std::size_t s = 0; s < statistic_names.size(); ++s) add_latency(candidate, m, s, row);
}

void add_simulated_columns(std::vector<Column>& columns) {
    for_each_simulated([&](std::size_t m, std::size_t s) {
        const std::string key = fmt::format("simulated.{}_s", metric_names[m]);
        columns.push_back({fmt::format("{}.{}", key, statistic_names[s]), "", 0});
        const std::string interval = s == 0 ? "ci95" : std::string(statistic_names[s]) + "_ci95";
        columns.push_back({fmt::format("{}.{}.low", key, interval), "", 0});
        columns.push_back({fmt::format("{}.{}.high", key, interval), "", 0});
    });
}

void add_simulated(const Candidate* candidate, Row& row) {
    const Simulated* simulated =
        candidate && candidate->simulated && candidate->simulated->refusal.empty() ? &*candidate->simulated : nullptr;
    for_each_simulated([&](std::size_t m, std::size_t s) {
        if (!simulated) {
            row.insert(row.end(), 3, Cell());
            return;
        }
        row.emplace_back(simulated->latencies[static_cast<Metric>(m)][static_cast<Statistic>(s)]);
        row.emplace_back(Kind::seconds, simulated->ci95[m][s].low);
        row.emplace_back(Kind::seconds, simulated->ci95[m][s].high);
    });
}

}  // namespace plimsoll
