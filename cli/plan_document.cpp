#include "cli/plan_document.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include <fmt/format.h>

namespace plimsoll {
namespace {

constexpr int exit_infeasible = 3;

/// A cell's column and how it is filled from a candidate that works.
struct Field {
    Column column;
    Cell (*cell)(const Candidate&);
};

double instances(const Candidate& c) {
    return static_cast<double>(c.nodes_needed) * c.deployment.instances_per_node;
}

std::string interval_text(Interval interval) {
    const std::string low = plain_number(interval.low), high = plain_number(interval.high);
    return low == high ? low : low + " to " + high;
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

std::string plural(int count, const std::string& noun) {
    return fmt::format("{} {}{}", to_text(Cell::count(count)), noun, count == 1 ? "" : "s");
}

/// "llama-13b: 12 nodes of a100-40gb-sxm-8 (96 GPUs), ..."; what the plan comes to for one model.
std::string sentence(const Scenario& scenario, const Plan& plan, const Transformer* model) {
    const Answer* answer = best_answer(plan, model);
    if (!answer) {
        std::string reason;
        for (const Answer& other : plan.answers)
            if (other.model == model && reason.empty()) reason = other.reason;
        return model->name + ": no candidate keeps the promises" + (reason.empty() ? "." : ": " + reason + ".");
    }
    const Candidate& best = *answer->best;
    std::string text = fmt::format("{}: {} of {} ({})", model->name, plural(best.nodes, "node"),
                                   best.deployment.node->name, plural(best.gpus, "GPU"));
    if (best.nodes > best.nodes_needed) text += ", " + plural(best.nodes - best.nodes_needed, "spare") + " among them";
    text += fmt::format(", {} on each, {} weights, {}", layout_text(best.deployment),
                        to_string(best.deployment.weights), best.deployment.engine->name);
    text += ", " + (best.cost ? to_text(Cell(best.cost)) : "cost unknown (" + best.cost_unknown + ")");
    text += ", " + to_text(Cell(best.power)) + ".";
    if (scenario.load.kind == Load::Kind::closed)
        text += fmt::format(" {} users fit on a node", to_text(Cell::count(best.users_per_node)));
    else
        text += fmt::format(" {} requests/s fit on a node", plain_number(best.rate_per_node.value()));
    return text + fmt::format("; {} limits it, then {}.", to_string(best.at_capacity.binding),
                              to_string(best.at_capacity.next));
}

std::string question(const Scenario& scenario) {
    std::string load;
    if (scenario.load.kind == Load::Kind::closed) {
        const double concurrent = scenario.load.concurrent_users();
        load = to_text(Cell::count(scenario.load.registered_users)) + " users";
        if (concurrent != scenario.load.registered_users)
            load += fmt::format(" ({} at the same time)", to_text(Cell::count(std::ceil(concurrent))));
        load += ", thinking " + to_text(Seconds(scenario.load.think_time.mean()));
    } else {
        load = plain_number(scenario.load.peak_rate().value()) + " requests/s";
    }
    return fmt::format("{}; {} prompt and {} output tokens in the mean; {}.", load,
                       plain_number(scenario.workload.prompt.mean()), plain_number(scenario.workload.output.mean()),
                       to_text(scenario.slo));
}

/// A reason without its numbers, so that equal reasons can be counted.
std::string kind_of(const std::string& reason) {
    std::string kind;
    for (const char c : reason)
        if (!std::isdigit(static_cast<unsigned char>(c)) && c != '.') kind += c;
    return kind;
}

Bullets refusals(const Plan& plan) {
    struct Group {
        std::string example;
        int count = 0;
    };
    std::map<std::string, Group> groups;
    int refused = 0;
    for (const Candidate& c : plan.candidates) {
        if (!c.refusal) continue;
        ++refused;
        Group& group = groups[kind_of(c.refusal->why)];
        if (group.count++ == 0)
            group.example = fmt::format("{} on {}, {}: {}", c.deployment.model->name, c.deployment.node->name,
                                        layout_text(c.deployment), c.refusal->why);
    }
    std::vector<const Group*> sorted;
    for (const auto& entry : groups) sorted.push_back(&entry.second);
    std::stable_sort(sorted.begin(), sorted.end(), [](const Group* a, const Group* b) { return a->count > b->count; });
    constexpr std::size_t most = 4;
    Bullets bullets{
        "", fmt::format("{} of {} candidates do not work (--all lists them):", refused, plan.candidates.size()), {}};
    for (std::size_t i = 0; i < std::min(most, sorted.size()); ++i)
        bullets.lines.push_back(sorted[i]->example +
                                (sorted[i]->count > 1 ? fmt::format(" (and {} like it)", sorted[i]->count - 1) : ""));
    if (sorted.size() > most) bullets.lines.push_back(fmt::format("{} other reasons", sorted.size() - most));
    return bullets;
}

Table answers_table(const Scenario& scenario, const Plan& plan, bool verbose) {
    Table table{"answers", "", candidate_columns(scenario, verbose), {}, false};
    for (const Answer& answer : plan.answers)
        table.rows.push_back(
            candidate_row(scenario, answer.model, answer.node, answer.best ? &*answer.best : nullptr, answer.reason));
    return table;
}

/// The rows of one model without its name, for people.
Table shown_answers(const Scenario& scenario, const Plan& plan, const Transformer* model, bool verbose) {
    Table table{"", "", candidate_columns(scenario, verbose), {}, true};
    table.columns.front().title.clear();
    for (const Answer& answer : plan.answers)
        if (answer.model == model && (answer.best || answer.node))
            table.rows.push_back(
                candidate_row(scenario, model, answer.node, answer.best ? &*answer.best : nullptr, ""));
    return table;
}

Table shown_runners_up(const Scenario& scenario, const Plan& plan, const Transformer* model) {
    Table table{"", "Runners-up for " + model->name, candidate_columns(scenario, true), {}, true};
    table.columns.front().title.clear();
    for (const Answer& answer : plan.answers)
        if (answer.model == model)
            for (const Candidate& c : answer.runners_up)
                table.rows.push_back(candidate_row(scenario, model, answer.node, &c, ""));
    return table;
}

std::string name_of(const Node* node) {
    return node ? node->name : "";
}

/// All comparisons; people get those of node counts unless they want more or there are no others.
Table comparisons(const Plan& plan, bool machine, bool verbose) {
    bool any_nodes = false;
    for (const Answer& answer : plan.answers)
        for (const Comparison& c : answer.comparisons) any_nodes = any_nodes || c.quantity == "nodes";
    Table table{machine ? "comparisons" : "",
                "Beside published or measured values",
                {{"model", "model", 0, true},
                 {"node", "node", 0},
                 {"quantity", "quantity", 0, true},
                 {"measured", "published", 0},
                 {"predicted", "predicted", 0},
                 {"error", "error", 0},
                 {"source", verbose ? "source" : "", 3, true}},
                {},
                !machine};
    for (const Answer& answer : plan.answers)
        for (const Comparison& c : answer.comparisons)
            if (machine || verbose || !any_nodes || c.quantity == "nodes")
                table.rows.push_back({answer.model->name,
                                      answer.best ? answer.best->deployment.node->name : name_of(answer.node),
                                      c.quantity, Cell::number(c.measured), Cell::number(c.predicted),
                                      Cell(Kind::change, c.error), c.source});
    return table;
}

/// What was assumed, without the reasons.
Paragraph short_assumptions(const std::vector<std::string>& assumptions) {
    std::string text;
    for (const std::string& assumption : assumptions) {
        const std::size_t colon = assumption.find(": "), equals = assumption.find(" = ");
        const bool stated = equals != assumption.npos && colon != assumption.npos && equals < colon;
        text += (text.empty() ? "" : "; ") + (stated ? assumption.substr(0, colon) : assumption);
    }
    return {text.empty() ? "" : "Assumed, as the scenario does not say: " + text + ". --verbose gives the reasons."};
}

Table candidates_table(const Scenario& scenario, const Plan& plan, bool shown) {
    Table table{"candidates",
                fmt::format("All {} candidates", plan.candidates.size()),
                candidate_columns(scenario, false),
                {},
                shown};
    for (const Candidate& c : plan.candidates)
        table.rows.push_back(
            candidate_row(scenario, c.deployment.model, c.deployment.node, &c, c.refusal ? c.refusal->why : ""));
    for (Column& column : table.columns)
        if (column.key == "reason") column.title = "why not";
    return table;
}

Bullets reasons(const Plan& plan, const Transformer* model) {
    Bullets bullets{"", "", {}};
    for (const Answer& answer : plan.answers)
        if (answer.model == model && answer.node && !answer.reason.empty() && !answer.best)
            bullets.lines.push_back(answer.node->name + ": " + answer.reason);
    return bullets;
}

}  // namespace

std::string layout_text(const Deployment& d) {
    std::string text = fmt::format("{} x TP{}", d.instances_per_node, d.tensor_parallel);
    return d.pipeline_parallel > 1 ? text + fmt::format(" PP{}", d.pipeline_parallel) : text;
}

const Answer* best_answer(const Plan& plan, const Transformer* model) {
    std::vector<const Answer*> feasible;
    for (const Answer& answer : plan.answers)
        if (answer.model == model && answer.best) feasible.push_back(&answer);
    const bool priced =
        std::all_of(feasible.begin(), feasible.end(), [](const Answer* a) { return a->best->cost.has_value(); });
    const auto better = [priced](const Answer* a, const Answer* b) {
        return priced ? *a->best->cost < *b->best->cost : a->best->gpus < b->best->gpus;
    };
    const auto best = std::min_element(feasible.begin(), feasible.end(), better);
    return best == feasible.end() ? nullptr : *best;
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

Document plan_document(const Scenario& scenario, const Plan& plan, PlanDetail detail) {
    Document document;
    auto& items = document.items;
    items.push_back(RawJson{"scenario", scenario.resolved_json});
    items.push_back(Paragraph{question(scenario)});
    items.push_back(answers_table(scenario, plan, detail.verbose));
    for (const Transformer* model : scenario.models) {
        items.push_back(Paragraph{sentence(scenario, plan, model)});
        items.push_back(shown_answers(scenario, plan, model, detail.verbose));
        items.push_back(reasons(plan, model));
        if (detail.verbose) items.push_back(shown_runners_up(scenario, plan, model));
    }
    items.push_back(comparisons(plan, true, detail.verbose));
    items.push_back(comparisons(plan, false, detail.verbose));
    items.push_back(candidates_table(scenario, plan, detail.all));
    const bool refused = std::any_of(plan.candidates.begin(), plan.candidates.end(),
                                     [](const Candidate& c) { return c.refusal.has_value(); });
    if (refused && !detail.all) items.push_back(refusals(plan));
    items.push_back(
        Bullets{"assumptions", "Assumed, as the scenario does not say:", scenario.assumptions, detail.verbose});
    if (!detail.verbose) items.push_back(short_assumptions(scenario.assumptions));
    if (!plan.feasible()) document.exit_code = exit_infeasible;
    return document;
}

}  // namespace plimsoll
