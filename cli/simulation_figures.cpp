#include <algorithm>

#include <fmt/format.h>

#include "cli/simulation_document.hpp"

namespace plimsoll {
namespace {

/// A figure of the run with, for some, its interval and what the forecast says of all replicas.
struct Figure {
    std::string key;
    std::string title;  ///< empty: for machines only
    Cell value;
    std::optional<Estimate> estimate = {};
    Cell forecast = {};
};

Cell known(const std::optional<Forecast>& forecast, Kind kind, double (*figure)(const Forecast&), double factor) {
    return forecast && !forecast->overloaded ? Cell(kind, figure(*forecast) * factor) : Cell();
}

std::vector<Figure> rates(const SimulationQuestion& question, const Report& report) {
    const double replicas = question.setup.all_replicas();
    const auto rate = [](std::string key, std::string title, const Estimate& e, Cell forecast = {}) {
        return Figure{std::move(key), std::move(title), Cell::number(e.value), e, std::move(forecast)};
    };
    const auto& forecast = question.forecast;
    std::vector<Figure> figures{
        rate("requests_per_s", "requests /s", report.request_rate,
             known(
                 forecast, Kind::number, [](const Forecast& f) { return f.request_rate.value(); }, replicas)),
        rate("output_tokens_per_s", "output tokens /s", report.output_token_rate,
             known(
                 forecast, Kind::number, [](const Forecast& f) { return f.output_tokens_per_s; }, replicas)),
        rate("tokens_per_s", "", report.total_token_rate)};
    const std::vector<Slo> promises = promises_of(question.setup.load);
    const bool promised =
        std::any_of(promises.begin(), promises.end(), [](const Slo& slo) { return !slo.terms.empty(); });
    if (promised) figures.push_back(rate("goodput_per_s", "goodput /s", report.goodput));
    figures.push_back({"error_rate", "error rate", Cell::fraction(report.error_rate.value), report.error_rate});
    if (report.found_tokens > 0)
        figures.push_back(
            {"prefix_hit_rate", "prompt tokens found", Cell::fraction(report.hit_rate.value), report.hit_rate});
    return figures;
}

/// Of one replica in the mean.
std::vector<Figure> engine(const SimulationQuestion& question, const Report& report) {
    const auto& forecast = question.forecast;
    const SchedulerSettings& settings = question.setup.settings;
    const auto blocks = static_cast<double>(settings.kv_blocks);
    const auto& batch = report.batch_percentiles;
    const double replicas = question.setup.all_replicas();
    // A full reservation holds more than what is stored, which is what the forecast tells.
    const bool paged = question.setup.scheduler->holding == KvHolding::paged;
    return {
        {"in_system_mean",
         "in the system",
         Cell::number(report.in_system_mean / replicas),
         {},
         known(
             forecast, Kind::number, [](const Forecast& f) { return f.running + f.waiting; }, 1.0)},
        {"waiting_mean", "waiting", Cell::number(report.waiting_mean / replicas)},
        {"running_mean", "", Cell::number(report.running_mean)},
        {"waiting_most", "", Cell::count(report.waiting_most)},
        {"batch_mean", "batch of a step", Cell::number(report.batch_mean)},
        {"batch_p50", "", Cell::number(batch[0])},
        {"batch_p90", "", Cell::number(batch[1])},
        {"batch_p95", "batch p95", Cell::number(batch[2])},
        {"batch_p99", "", Cell::number(batch[3])},
        {"kv_use_mean",
         "KV use",
         Cell::fraction(report.kv_blocks_mean / blocks),
         {},
         paged ? known(
                     forecast, Kind::fraction, [](const Forecast& f) { return f.kv_tokens; },
                     1.0 / (blocks * settings.block_tokens))
               : Cell()},
        {"kv_use_most", "KV use, most", Cell::fraction(static_cast<double>(report.kv_blocks_most) / blocks)},
        {"busy_share", "busy", Cell::fraction(report.busy_share)},
        {"preemptions", "preemptions", Cell::count(static_cast<double>(report.preemptions))},
    };
}

Cell half_width(const Figure& figure) {
    return figure.estimate ? Cell(figure.value.kind, figure.estimate->half_width) : Cell();
}

void add_rows(const std::vector<Figure>& figures, Table& table) {
    for (const Figure& figure : figures)
        if (!figure.title.empty())
            table.rows.push_back(
                {figure.title, figure.value, half_width(figure), figure.forecast,
                 gap(figure.forecast, figure.value.known() ? std::get<double>(figure.value.value) : 0.0)});
}

Facts facts_of(const std::string& key, const std::vector<Figure>& figures) {
    Facts facts{key, "", {}};
    for (const Figure& figure : figures) {
        facts.facts.push_back({figure.estimate ? figure.key + ".mean" : figure.key, "", figure.value});
        if (!figure.estimate) continue;
        facts.facts.push_back({figure.key + ".ci95.low", "", Cell::number(figure.estimate->low())});
        facts.facts.push_back({figure.key + ".ci95.high", "", Cell::number(figure.estimate->high())});
    }
    return facts;
}

}  // namespace

void add_figures(const SimulationQuestion& question, const Report& report, std::vector<Item>& items) {
    const std::vector<Figure> first = rates(question, report), second = engine(question, report);
    items.emplace_back(facts_of("rates", first));
    items.emplace_back(facts_of("replica", second));
    Facts forecast{"forecast", "", {}};
    Table table{
        "", "", {{"", "figure", 0}, {"", "simulated", 0}, {"", "+-", 2}, {"", "forecast", 0}, {"", "gap", 1}}, {}};
    for (const auto* figures : {&first, &second}) {
        add_rows(*figures, table);
        for (const Figure& figure : *figures)
            if (question.forecast && figure.forecast.known())
                forecast.facts.push_back({figure.key, "", figure.forecast});
    }
    if (!question.forecast) {
        // Nothing to compare with: two columns less.
        table.columns.resize(3);
        for (Row& row : table.rows) row.resize(3);
    }
    items.emplace_back(std::move(forecast));
    items.emplace_back(std::move(table));
}

}  // namespace plimsoll
