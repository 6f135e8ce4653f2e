#include "cli/plan_document.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "model/cost/kernel_choice.hpp"

namespace plimsoll {
namespace {

constexpr int exit_infeasible = 3;

/// "llama-13b: 12 nodes of a100-40gb-sxm-8 (96 GPUs), ..."; what the plan comes to for one model.
std::string sentence(const Scenario& scenario, const Plan& plan, const Transformer* model) {
    const Answer* answer = best_answer(plan, model);
    if (const Answer* nearest = answer ? nullptr : nearest_answer(plan, model))
        return beyond_sentence(scenario, *nearest->nearest);
    if (!answer) {
        std::string reason;
        for (const Answer& other : plan.answers)
            if (other.model == model && reason.empty()) reason = other.reason;
        return model->name + ": no candidate keeps the promises" + (reason.empty() ? "." : ": " + reason + ".");
    }
    const Candidate& best = *answer->best;
    std::string text = fmt::format("{}: {} of {} ({})", model->name, plural(best.nodes, "node"),
                                   best.deployment.node->name, plural(best.gpus, "GPU"));
    if (best.uncertainty)
        text += fmt::format(", 80 % interval {}, promises kept with {}", interval_text(best.uncertainty->nodes),
                            to_text(Cell::fraction(best.uncertainty->promise_probability)));
    if (best.uncertainty && scenario.confidence)
        text += fmt::format(" ({} asked for)", to_text(Cell::fraction(*scenario.confidence)));
    if (best.nodes > best.nodes_needed) text += ", " + plural(best.nodes - best.nodes_needed, "spare") + " among them";
    text += fmt::format(", {}{}, {} weights, {}", layout_text(best.deployment),
                        best.deployment.hosts_per_instance > 1 ? "" : " on each", to_string(best.deployment.weights),
                        best.deployment.engine->name);
    text += ", " + (best.cost ? to_text(Cell(best.cost)) : "cost unknown (" + best.cost_unknown + ")");
    text += ", " + to_text(Cell(best.power)) + ".";
    return text + capacity_sentences(scenario, best);
}

std::string question(const Scenario& scenario) {
    std::string load;
    if (scenario.load.kind == Load::Kind::closed) {
        const double concurrent = scenario.load.concurrent_users();
        load = plural(scenario.load.registered_users, "user");
        if (concurrent != scenario.load.registered_users)
            load += fmt::format(" ({} at the same time)", to_text(Cell::count(std::ceil(concurrent))));
        load += ", thinking " + to_text(Seconds(scenario.load.think_time.mean()));
    } else {
        load = requests_a_second(scenario.load.peak_rate().value());
    }
    const std::string bounds = bounds_text(scenario);
    return fmt::format("{}; {} prompt and {} output tokens in the mean; {}{}.", load,
                       plain_number(scenario.workload.prompt.mean()), plain_number(scenario.workload.output.mean()),
                       to_text(scenario.slo), bounds.empty() ? "" : "; at most " + bounds);
}

/// A reason without its numbers, so that equal reasons can be counted.
std::string kind_of(const std::string& reason) {
    std::string kind;
    for (const char c : reason)
        if (!std::isdigit(static_cast<unsigned char>(c)) && c != '.') kind += c;
    return kind;
}

std::string refusal_text(const Candidate& c) {
    return fmt::format("{} on {}, {}: {}", c.deployment.model->name, c.deployment.node->name, layout_text(c.deployment),
                       c.refusal->why);
}

/// Every refused candidate with its reason.
Bullets all_refusals(const Plan& plan) {
    Bullets bullets{"", "What does not work:", {}};
    for (const Candidate& c : plan.candidates)
        if (c.refusal) bullets.lines.push_back(refusal_text(c));
    return bullets;
}

/// The most frequent reasons with an example each.
Bullets common_refusals(const Plan& plan) {
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
        if (group.count++ == 0) group.example = refusal_text(c);
    }
    if (refused == 0) return {"", "", {}};
    std::vector<const Group*> sorted;
    sorted.reserve(groups.size());
    for (const auto& entry : groups) sorted.push_back(&entry.second);
    std::stable_sort(sorted.begin(), sorted.end(), [](const Group* a, const Group* b) { return a->count > b->count; });
    constexpr std::size_t most = 4;
    Bullets bullets{
        "", fmt::format("{} of {} candidates do not work (--all lists them):", refused, plan.candidates.size()), {}};
    for (std::size_t i = 0; i < std::min(most, sorted.size()); ++i)
        bullets.lines.push_back(sorted[i]->example +
                                (sorted[i]->count > 1 ? fmt::format(" (and {} like it)", sorted[i]->count - 1) : ""));
    if (sorted.size() > most)
        bullets.lines.push_back(plural(static_cast<double>(sorted.size() - most), "other reason"));
    return bullets;
}

Table answers_table(const Scenario& scenario, const Plan& plan, bool verbose) {
    Table table{"answers", "", candidate_columns(scenario, verbose), {}, false};
    for (const Answer& answer : plan.answers) {
        const std::optional<Candidate>& shown = answer.best ? answer.best : answer.nearest;
        table.rows.push_back(
            candidate_row(scenario, answer.model, answer.node, shown ? &*shown : nullptr, answer.reason));
    }
    return table;
}

/// Cheapest first; those without a price after them, by GPUs.
bool better(const Answer* a, const Answer* b) {
    const Candidate &x = *a->best, &y = *b->best;
    if (x.cost.has_value() != y.cost.has_value()) return x.cost.has_value();
    return x.cost ? *x.cost < *y.cost : x.gpus < y.gpus;
}

/// The feasible answers of one model, the best first.
std::vector<const Answer*> ranked_answers(const Plan& plan, const Transformer* model) {
    std::vector<const Answer*> feasible;
    for (const Answer& answer : plan.answers)
        if (answer.model == model && answer.best) feasible.push_back(&answer);
    std::stable_sort(feasible.begin(), feasible.end(), better);
    return feasible;
}

/// The feasible rows of one model without its name, for people.
Table shown_answers(const Scenario& scenario, const Plan& plan, const Transformer* model, bool verbose) {
    Table table{"", "", candidate_columns(scenario, verbose), {}, true};
    table.columns.front().title.clear();
    for (const Answer* answer : ranked_answers(plan, model))
        table.rows.push_back(candidate_row(scenario, model, answer->node, &*answer->best, ""));
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
                 {"layout", "layout", 0},
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
                                      layout_text(c.deployment), c.quantity, Cell::number(c.measured),
                                      Cell::number(c.predicted), Cell(Kind::change, c.error), c.source});
    return table;
}

/// The weakest origin behind the answers that people read first.
Paragraph weakest_origin(const Scenario& scenario, const Plan& plan) {
    std::optional<Origin> origin;
    for (const Transformer* model : scenario.models)
        if (const Answer* answer = best_answer(plan, model))
            origin = origin ? weakest(*origin, answer->best->origin) : answer->best->origin;
    if (!origin) return {};
    const std::string sure =
        scenario.confidence ? "." : ", and --confidence 0.9 asks for nodes that keep the promises with 90 %.";
    return {"The weakest number behind these answers is " + std::string(to_string(*origin)) +
            "; the intervals hold 80 % of what the stated errors of the constants make of them" + sure};
}

/// Whose kernels the answers that people read first stand on, and which sizes nobody measured.
Bullets kernels_used(const Scenario& scenario, const Plan& plan) {
    Bullets bullets{"", "Kernels behind these answers:", {}};
    const auto add = [&](const std::string& line) {
        if (std::find(bullets.lines.begin(), bullets.lines.end(), line) == bullets.lines.end())
            bullets.lines.push_back(line);
    };
    for (const Transformer* model : scenario.models) {
        const Answer* answer = best_answer(plan, model);
        if (!answer) continue;
        const Deployment& d = answer->best->deployment;
        add("products: " + kernel_source(d, OperatorKind::gemm));
        add("attention in prefill: " + kernel_source(d, OperatorKind::prefill_attention));
        add("attention in decode: " + kernel_source(d, OperatorKind::decode_attention));
        if (d.model->has_experts()) add("experts: " + experts_source(d));
        if (d.tensor_parallel > 1) add("all-reduce: " + collective_source(d));
        if (split_of(d).dispatches()) add("all-to-all: " + exchange_source(d));
        if (answer->best->uncertainty)
            for (const std::string& size : answer->best->uncertainty->beyond_measured)
                add("beyond what was measured: " + size);
    }
    return bullets;
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
    return table;
}

/// The node types that cannot keep the promises.
Paragraph unable(const Plan& plan, const Transformer* model) {
    std::string names;
    int count = 0;
    for (const Answer& answer : plan.answers) {
        if (answer.model != model || answer.best || answer.nearest || !answer.node) continue;
        names += (count++ == 0 ? "" : ", ") + answer.node->name;
    }
    if (count == 0) return {};
    return {fmt::format("No candidate keeps the promises on {}{}.", count == 1 ? "" : plural(count, "node type") + ": ",
                        names)};
}

/// What drafts, and what a step gains by it.
Paragraph speculated(const Scenario& scenario) {
    if (!scenario.speculation) return {};
    const Speculation& s = *scenario.speculation;
    const std::string source = scenario.acceptance_source.empty() ? "" : " (" + scenario.acceptance_source + ")";
    return {fmt::format("{} drafted a step by {}, each accepted with {:.3g}{}: {:.3g} tokens a step.",
                        plural(s.tokens, "token"), s.draft ? s.draft->name : "the model's own prediction modules",
                        s.acceptance, source, s.expected_tokens())};
}

}  // namespace

const Answer* best_answer(const Plan& plan, const Transformer* model) {
    const std::vector<const Answer*> ranked = ranked_answers(plan, model);
    return ranked.empty() ? nullptr : ranked.front();
}

Document plan_document(const Scenario& scenario, const Plan& plan, PlanDetail detail) {
    Document document;
    auto& items = document.items;
    items.push_back(RawJson{"scenario", scenario.resolved_json});
    items.push_back(Paragraph{question(scenario)});
    items.push_back(speculated(scenario));
    items.push_back(answers_table(scenario, plan, detail.verbose));
    for (const Transformer* model : scenario.models) {
        items.push_back(Paragraph{sentence(scenario, plan, model)});
        items.push_back(shown_answers(scenario, plan, model, detail.verbose));
        add_beyond_bounds(scenario, plan, model, detail.all, items);
        items.push_back(unable(plan, model));
        if (detail.verbose) items.push_back(simulated_latencies(plan, model));
        if (detail.verbose) items.push_back(shown_runners_up(scenario, plan, model));
    }
    items.push_back(comparisons(plan, true, detail.verbose));
    items.push_back(comparisons(plan, false, detail.verbose));
    items.push_back(candidates_table(scenario, plan, detail.all));
    items.push_back(weakest_origin(scenario, plan));
    items.push_back(kernels_used(scenario, plan));
    items.push_back(detail.all ? all_refusals(plan) : common_refusals(plan));
    items.push_back(
        Bullets{"assumptions", "Assumed, as the scenario does not say:", scenario.assumptions, detail.verbose});
    if (!detail.verbose) items.push_back(short_assumptions(scenario.assumptions));
    items.push_back(Bullets{"left_out", "Said by the scenario, and not in this answer:", scenario.left_out});
    if (!plan.feasible()) document.exit_code = exit_infeasible;
    return document;
}

}  // namespace plimsoll
