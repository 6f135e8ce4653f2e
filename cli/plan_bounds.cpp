#include <algorithm>

#include <fmt/format.h>

#include "cli/plan_document.hpp"

namespace plimsoll {
namespace {

/// "4,840 users", "5.2 requests/s".
std::string load_within(const Scenario& scenario, const WithinBounds& within) {
    return scenario.load.kind == Load::Kind::closed ? plural(within.users, "user")
                                                    : requests_a_second(within.rate.value());
}

bool carries_less(const Candidate& a, const Candidate& b) {
    return a.within_bounds->carries_less_than(*b.within_bounds);
}

}  // namespace

std::string bounds_text(const Scenario& scenario) {
    std::string text;
    if (scenario.max_nodes) text = plural(*scenario.max_nodes, "node");
    if (scenario.max_cost) text += (text.empty() ? "" : " and ") + to_text(Cell(*scenario.max_cost));
    return text;
}

const Answer* nearest_answer(const Plan& plan, const Transformer* model) {
    const Answer* nearest = nullptr;
    for (const Answer& answer : plan.answers)
        if (answer.model == model && answer.nearest && (!nearest || carries_less(*nearest->nearest, *answer.nearest)))
            nearest = &answer;
    return nearest;
}

std::string beyond_sentence(const Scenario& scenario, const Candidate& nearest) {
    const Deployment& d = nearest.deployment;
    const WithinBounds& within = *nearest.within_bounds;
    std::string text = d.model->name + ": no candidate keeps the promises within " + bounds_text(scenario);
    if (within.nodes == 0) return text + ", which is less than one instance takes.";
    return text + fmt::format(". The most within that is {}, on {} of {} ({}), {}{}, {} weights, {}, {}.",
                              load_within(scenario, within), plural(within.nodes, "node"), d.node->name,
                              plural(within.nodes * d.node->gpus, "GPU"), layout_text(d),
                              d.hosts_per_instance > 1 ? "" : " on each", to_string(d.weights), d.engine->name,
                              within.cost ? to_text(Cell(within.cost)) : "cost unknown");
}

void add_beyond_bounds(const Scenario& scenario, const Plan& plan, const Transformer* model, bool all,
                       std::vector<Item>& items) {
    constexpr std::size_t few = 6;
    const bool closed = scenario.load.kind == Load::Kind::closed;
    std::vector<const Answer*> beyond;
    for (const Answer& answer : plan.answers)
        if (answer.model == model && answer.nearest) beyond.push_back(&answer);
    std::stable_sort(beyond.begin(), beyond.end(),
                     [](const Answer* a, const Answer* b) { return carries_less(*b->nearest, *a->nearest); });
    const std::size_t left_out = all || beyond.size() <= few ? 0 : beyond.size() - few;
    beyond.resize(beyond.size() - left_out);
    Table table{"",
                "Beyond " + bounds_text(scenario) + ": what it takes, and the most within",
                {{"", "node", 0, true},
                 {"", "layout", 1},
                 {"", "nodes", 0},
                 {"", "cost", 0, false, "USD/h"},
                 {"", closed ? "users within" : "requests within /s", 0},
                 {"", "on nodes", 2},
                 {"", "for", 2, false, "USD/h"}},
                {}};
    for (const Answer* answer : beyond) {
        const Candidate& c = *answer->nearest;
        const WithinBounds& within = *c.within_bounds;
        table.rows.push_back({answer->node->name, layout_cell(c.deployment), Cell::count(c.nodes), Cell(c.cost),
                              closed ? Cell::count(within.users) : Cell::number(within.rate.value()),
                              Cell::count(within.nodes), Cell(within.cost)});
    }
    items.emplace_back(std::move(table));
    if (left_out > 0)
        items.emplace_back(
            Paragraph{"Further beyond: " + plural(static_cast<double>(left_out), "node type") + "; --all lists them."});
}

}  // namespace plimsoll
