#include "cli/simulation_document.hpp"
#include "model/spec/slo.hpp"

namespace plimsoll {
namespace {

Cell count(std::uint64_t n) {
    return Cell::count(static_cast<double>(n));
}

/// A latency of a class; unknown where nobody had an answer.
Cell latency(const ClassReport& report, Metric metric, Statistic statistic) {
    return report.finished > 0 ? Cell(report.latencies[metric][statistic]) : Cell();
}

std::vector<Column> class_columns() {
    std::vector<Column> columns{{"name", "class", 0},
                                {"requests", "requests", 2},
                                {"unanswered", "unanswered", 3},
                                {"promises", "promises", 4, true},
                                {"good", "within them", 0},
                                {"goodput_per_s", "goodput /s", 1}};
    for (std::size_t m = 0; m < metric_names.size(); ++m)
        for (std::size_t s = 0; s < statistic_names.size(); ++s) {
            const std::string metric(metric_names[m]), statistic(statistic_names[s]);
            const bool shown = static_cast<Metric>(m) != Metric::e2e && (statistic == "mean" || statistic == "p95");
            const std::string title = (metric == "ttft" ? "TTFT " : "TPOT ") + statistic;
            columns.push_back({metric + "_s." + statistic, shown ? title : "", statistic == "mean" ? 0 : 1});
        }
    return columns;
}

}  // namespace

void add_classes(const SimulationQuestion& question, const Report& report, std::vector<Item>& items) {
    const std::vector<LoadPlan>& classes = question.setup.load.classes;
    Table table{"classes", "", class_columns(), {}};
    for (std::size_t i = 0; i < classes.size() && i < report.classes.size(); ++i) {
        const ClassReport& one = report.classes[i];
        const auto all = static_cast<double>(one.finished + one.unanswered.all());
        const bool promised = !classes[i].slo.terms.empty();
        Row row{classes[i].class_name,
                count(one.finished),
                count(one.unanswered.all()),
                to_text(classes[i].slo),
                promised && all > 0 ? Cell::fraction(static_cast<double>(one.good) / all) : Cell(),
                promised ? Cell::number(one.goodput.value()) : Cell()};
        for (std::size_t m = 0; m < metric_names.size(); ++m)
            for (std::size_t s = 0; s < statistic_names.size(); ++s)
                row.push_back(latency(one, static_cast<Metric>(m), static_cast<Statistic>(s)));
        table.rows.push_back(std::move(row));
    }
    items.emplace_back(std::move(table));
}

}  // namespace plimsoll
