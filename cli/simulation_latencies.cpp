#include <cmath>

#include <fmt/format.h>

#include "cli/simulation_document.hpp"

namespace plimsoll {
namespace {

constexpr std::array<std::string_view, measure_names.size()> titles{"TTFT", "TPOT", "ITL", "to last token", "queue"};
constexpr std::array<std::string_view, reported_quantiles.size()> quantile_names{"p50", "p90", "p95", "p99"};

/// The planner's name of a measure that it forecasts.
std::optional<Metric> forecast_of(Measure measure) {
    switch (measure) {
        case Measure::ttft:
            return Metric::ttft;
        case Measure::tpot:
            return Metric::tpot;
        case Measure::e2e:
            return Metric::e2e;
        default:
            return std::nullopt;
    }
}

Cell seconds(const MeasureSummary& summary, double value) {
    return summary.count > 0 ? Cell(Kind::seconds, value) : Cell();
}

Facts metrics_facts(const Report& report) {
    Facts facts{"metrics", "", {}};
    for (std::size_t m = 0; m < measure_names.size(); ++m) {
        const MeasureSummary& summary = report.measures[m];
        const std::string name = std::string(measure_names[m]) + ".";
        const auto add = [&](const std::string& key, double value) {
            facts.facts.push_back({name + key, "", seconds(summary, value)});
        };
        add("mean", summary.mean.value);
        for (std::size_t q = 0; q < quantile_names.size(); ++q)
            add(std::string(quantile_names[q]), summary.percentiles[q].value);
        add("ci95.low", summary.mean.low());
        add("ci95.high", summary.mean.high());
        for (std::size_t q = 0; q < quantile_names.size(); ++q) {
            const std::string key = std::string(quantile_names[q]) + "_ci95.";
            add(key + "low", summary.percentiles[q].ci95.low);
            add(key + "high", summary.percentiles[q].ci95.high);
        }
        facts.facts.push_back({name + "count", "", Cell::count(static_cast<double>(summary.count))});
        std::vector<std::string> few;
        for (std::size_t q = 0; q < quantile_names.size(); ++q)
            if (summary.percentiles[q].few) few.emplace_back(quantile_names[q]);
        facts.facts.push_back({name + "few_samples", "", Cell(few)});
        facts.facts.push_back({name + "exact", "", Cell::flag(summary.exact)});
        facts.facts.push_back({name + "correlated", "", Cell::flag(summary.correlated)});
    }
    return facts;
}

/// What the forecast says of a measure, statistic by statistic, and how far that is from the simulation.
void add_forecast_rows(const MeasureSummary& summary, const Percentiles& forecast, Table& table) {
    Row values{Cell("  forecast"), Cell(forecast[Statistic::mean]), Cell()};
    Row gaps{Cell("  gap"), gap(Cell(forecast[Statistic::mean]), summary.mean.value), Cell()};
    for (std::size_t q = 0; q < reported_quantiles.size(); ++q) {
        const Cell value(forecast[static_cast<Statistic>(q + 1)]);
        values.push_back(value);
        gaps.push_back(gap(value, summary.percentiles[q].value));
    }
    table.rows.push_back(std::move(values));
    table.rows.push_back(std::move(gaps));
}

/// The 95 % intervals, for those who want them all.
void add_interval_rows(const MeasureSummary& summary, Table& table) {
    Row low{Cell("  95 % from"), seconds(summary, summary.mean.low()), Cell()};
    Row high{Cell("  to"), seconds(summary, summary.mean.high()), Cell()};
    for (const PercentileEstimate& p : summary.percentiles) {
        low.push_back(seconds(summary, p.ci95.low));
        high.push_back(seconds(summary, p.ci95.high));
    }
    table.rows.push_back(std::move(low));
    table.rows.push_back(std::move(high));
}

Table latencies_table(const SimulationQuestion& question, const Report& report, bool verbose) {
    Table table{"",
                "",
                {{"", "latency", 0},
                 {"", "mean", 0},
                 {"", "+-", 2},
                 {"", "p50", 1},
                 {"", "p90", 3},
                 {"", "p95", 0},
                 {"", "p99", 1}},
                {}};
    for (std::size_t m = 0; m < measure_names.size(); ++m) {
        const MeasureSummary& summary = report.measures[m];
        Row row{Cell(titles[m]), seconds(summary, summary.mean.value), seconds(summary, summary.mean.half_width)};
        for (const PercentileEstimate& p : summary.percentiles) row.push_back(seconds(summary, p.value));
        table.rows.push_back(std::move(row));
        if (verbose) add_interval_rows(summary, table);
        const auto metric = forecast_of(static_cast<Measure>(m));
        if (metric && question.forecast && !question.forecast->overloaded)
            add_forecast_rows(summary, question.forecast->latencies[*metric], table);
    }
    return table;
}

Facts forecast_facts(const SimulationQuestion& question, const Report& report) {
    Facts facts{"forecast", "", {}};
    if (!question.forecast) return facts;
    const Forecast& forecast = *question.forecast;
    facts.facts.push_back({"overloaded", "", Cell::flag(forecast.overloaded)});
    for (std::size_t m = 0; m < measure_names.size(); ++m) {
        const auto metric = forecast_of(static_cast<Measure>(m));
        if (!metric) continue;
        const MeasureSummary& summary = report.measures[m];
        for (std::size_t s = 0; s < statistic_names.size(); ++s) {
            const Cell value =
                forecast.overloaded ? Cell() : Cell(forecast.latencies[*metric][static_cast<Statistic>(s)]);
            const double simulated = s == 0 ? summary.mean.value : summary.percentiles[s - 1].value;
            const std::string key = fmt::format("{}.{}", measure_names[m], statistic_names[s]);
            facts.facts.push_back({key, "", value});
            facts.facts.push_back({"gap." + key, "", gap(value, simulated)});
        }
    }
    return facts;
}

}  // namespace

Cell gap(const Cell& forecast, double simulated) {
    if (!forecast.is_number() || !(simulated > 0)) return {};
    return {Kind::change, std::get<double>(forecast.value) / simulated - 1.0};
}

void add_latencies(const SimulationQuestion& question, const Report& report, bool verbose, std::vector<Item>& items) {
    items.emplace_back(metrics_facts(report));
    items.emplace_back(forecast_facts(question, report));
    items.emplace_back(latencies_table(question, report, verbose));
}

}  // namespace plimsoll
