#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include "cli/plan_document.hpp"

namespace plimsoll {
namespace {

/// A cell's column and how it is filled from a candidate that works.
struct Field {
    Column column;
    Cell (*cell)(const Candidate&);
};

double instances(const Candidate& c) {
    return static_cast<double>(c.nodes_needed) * c.deployment.instances_per_node;
}

std::vector<Field> size_fields() {
    return {
        {{"weights", "", 0}, [](const Candidate& c) { return Cell(to_string(c.deployment.weights)); }},
        {{"kv_cache", "", 0}, [](const Candidate& c) { return Cell(to_string(c.deployment.kv)); }},
        {{"engine", "", 0}, [](const Candidate& c) { return Cell(c.deployment.engine->name); }},
        {{"tensor_parallel", "", 0}, [](const Candidate& c) { return Cell::count(c.deployment.tensor_parallel); }},
        {{"pipeline_parallel", "", 0}, [](const Candidate& c) { return Cell::count(c.deployment.pipeline_parallel); }},
        {{"instances_per_node", "", 0},
         [](const Candidate& c) { return Cell::count(c.deployment.instances_per_node); }},
        {{"max_sequences", "", 0}, [](const Candidate& c) { return Cell::count(c.deployment.max_sequences); }},
        {{"largest_batch", "", 0}, [](const Candidate& c) { return Cell::number(c.largest_batch); }},
    };
}

std::vector<Field> capacity_fields() {
    return {
        {{"", "layout", 0}, [](const Candidate& c) { return Cell(layout_text(c.deployment)); }},
        {{"nodes", "nodes", 0}, [](const Candidate& c) { return Cell::count(c.nodes); }},
        {{"nodes_needed", "", 0}, [](const Candidate& c) { return Cell::count(c.nodes_needed); }},
        {{"nodes_interval.low", "", 0}, [](const Candidate& c) { return Cell::count(c.nodes_interval.low); }},
        {{"nodes_interval.high", "", 0}, [](const Candidate& c) { return Cell::count(c.nodes_interval.high); }},
        {{"", "80 % interval", 4},
         [](const Candidate& c) { return c.nodes_interval.high > 0 ? Cell(interval_text(c.nodes_interval)) : Cell(); }},
        {{"gpus", "GPUs", 1}, [](const Candidate& c) { return Cell::count(c.gpus); }},
        {{"users_per_instance", "", 0}, [](const Candidate& c) { return Cell::count(c.users_per_instance); }},
        {{"users_per_node", "users per node", 2}, [](const Candidate& c) { return Cell::count(c.users_per_node); }},
        {{"rate_per_node_per_s", "requests per node /s", 6},
         [](const Candidate& c) { return Cell::number(c.rate_per_node.value()); }},
        {{"overloaded", "", 0}, [](const Candidate& c) { return Cell::flag(c.at_load.overloaded); }},
        {{"utilization", "use of capacity", 7},
         [](const Candidate& c) { return Cell::fraction(c.at_load.utilization); }},
        {{"request_rate_per_s", "", 0},
         [](const Candidate& c) { return Cell::number(c.at_load.request_rate.value() * instances(c)); }},
        {{"output_tokens_per_s", "", 0},
         [](const Candidate& c) { return Cell::number(c.at_load.output_tokens_per_s * instances(c)); }},
        {{"running_per_instance", "", 0}, [](const Candidate& c) { return Cell::number(c.at_load.running); }},
        {{"waiting_per_instance", "", 0}, [](const Candidate& c) { return Cell::number(c.at_load.waiting); }},
    };
}

std::vector<Field> cost_fields() {
    return {
        {{"cost_usd_per_hour", "cost", 3, false, "USD/h"}, [](const Candidate& c) { return Cell(c.cost); }},
        {{"cost_usd_per_million_tokens", "million tokens", 8, false, "USD"},
         [](const Candidate& c) { return Cell(c.cost_per_million_tokens); }},
        {{"cost_unknown", "", 0}, [](const Candidate& c) { return c.cost ? Cell() : Cell(c.cost_unknown); }},
        {{"power_w", "power", 5, false, "kW"}, [](const Candidate& c) { return Cell(c.power); }},
        {{"energy_j_per_output_token", "", 0},
         [](const Candidate& c) { return Cell::number(c.energy_per_token.value()); }},
        {{"survives_one_node_down", "one node down", 9},
         [](const Candidate& c) { return Cell::flag(c.survives_one_node_down); }},
        {{"binding_constraint", "limited by", 2, true},
         [](const Candidate& c) { return Cell(to_string(c.at_capacity.binding)); }},
        {{"next_constraint", "then by", 10, true},
         [](const Candidate& c) { return Cell(to_string(c.at_capacity.next)); }},
        {{"pareto", "", 0}, [](const Candidate& c) { return Cell::flag(c.pareto); }},
        {{"origin", "weakest origin", 11, true}, [](const Candidate& c) { return Cell(to_string(c.origin)); }},
    };
}

std::vector<Field> fields() {
    std::vector<Field> all = size_fields();
    for (const auto& part : {capacity_fields(), cost_fields()}) all.insert(all.end(), part.begin(), part.end());
    return all;
}

/// Where the latencies stand among the columns: behind the use of capacity.
const std::string latencies_behind = "utilization";

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

/// One column a metric and statistic; those promised have a title, and so has the mean of TTFT and TPOT where they are
/// not promised.
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
            columns.push_back({fmt::format("{}_s.{}", to_string(metric), to_string(statistic)), title,
                               promised ? 1 : (mean ? 4 : 6), false, metric == Metric::tpot ? "ms" : "s"});
        }
}

void add_latencies(const Candidate* candidate, Row& row) {
    for (std::size_t m = 0; m < metric_names.size(); ++m)
        for (std::size_t s = 0; s < statistic_names.size(); ++s)
            row.push_back(candidate && !candidate->at_load.overloaded
                              ? Cell(candidate->at_load.latencies[static_cast<Metric>(m)][static_cast<Statistic>(s)])
                              : Cell());
}

}  // namespace

std::string interval_text(Interval interval) {
    if (!std::isfinite(interval.high)) return plain_number(interval.low) + " or more";
    const std::string low = plain_number(interval.low), high = plain_number(interval.high);
    return low == high ? low : low + " to " + high;
}

std::string layout_text(const Deployment& d) {
    std::string text = fmt::format("{} x TP{}", d.instances_per_node, d.tensor_parallel);
    return d.pipeline_parallel > 1 ? text + fmt::format(" PP{}", d.pipeline_parallel) : text;
}

std::vector<Column> candidate_columns(const Scenario& scenario, bool verbose) {
    std::vector<Column> columns{{"model", "model", 0}, {"node", "node", 0}, {"gpu", "", 0}};
    for (const Field& field : fields()) {
        columns.push_back(field.column);
        if (field.column.key == latencies_behind) add_latency_columns(scenario, verbose, columns);
    }
    columns.push_back({"reason", "", 1, true});
    if (scenario.load.kind == Load::Kind::open)
        for (Column& column : columns) {
            if (column.key == "users_per_node") column.title.clear();
            if (column.key == "rate_per_node_per_s") column.priority = 2;
        }
    return columns;
}

Row candidate_row(const Scenario& scenario, const Transformer* model, const Node* node, const Candidate* candidate,
                  const std::string& reason) {
    const Node* used = candidate ? candidate->deployment.node : node;
    const bool works = candidate && !candidate->refusal;
    Row row{model->name, used ? Cell(used->name) : Cell(), used ? Cell(used->gpu) : Cell()};
    std::size_t index = 0;
    const std::size_t of_layout = size_fields().size() - 1;  // known before a candidate is judged
    for (const Field& field : fields()) {
        const bool known = works || (candidate && (index < of_layout || field.column.title == "layout"));
        row.push_back(known ? field.cell(*candidate) : Cell());
        ++index;
        if (field.column.key == latencies_behind) add_latencies(works ? candidate : nullptr, row);
    }
    row.push_back(reason.empty() ? Cell() : Cell(reason));
    const bool open = scenario.load.kind == Load::Kind::open;
    const std::vector<Column> columns = candidate_columns(scenario, false);
    for (std::size_t i = 0; open && i < row.size(); ++i)
        if (columns[i].key.starts_with("users_per_")) row[i] = Cell();
    return row;
}

}  // namespace plimsoll
