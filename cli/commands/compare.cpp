#include <algorithm>
#include <filesystem>
#include <set>

#include "cli/command.hpp"
#include "cli/plan_document.hpp"
#include "cli/scenario_options.hpp"
#include "cli/session.hpp"
#include "model/base/error.hpp"
#include "model/capacity/planner.hpp"

namespace plimsoll {
namespace {

struct Planned {
    std::string file;
    Scenario scenario;
    Plan plan;
};

/// The scenarios' own names, or the file names where two are called the same.
std::vector<std::string> labels(const std::vector<Planned>& all) {
    std::vector<std::string> names, stems;
    for (const Planned& p : all) {
        names.push_back(p.scenario.name);
        stems.push_back(std::filesystem::path(p.file).stem().string());
    }
    const auto distinct = [](const std::vector<std::string>& list) {
        return std::set<std::string>(list.begin(), list.end()).size() == list.size();
    };
    if (distinct(names)) return names;
    if (distinct(stems)) return stems;
    for (std::size_t i = 0; i < all.size(); ++i) stems[i] = all[i].file;
    return stems;
}

std::size_t baseline_of(const std::vector<std::string>& files, const Arguments& arguments) {
    const auto named = arguments.value("baseline");
    if (!named) return 0;
    const auto found = std::find(files.begin(), files.end(), *named);
    if (found == files.end()) throw InputError("--baseline", unknown_name("scenario", *named, files));
    return static_cast<std::size_t>(found - files.begin());
}

/// The columns of a plan's answers that stand side by side, behind the scenario's name.
std::vector<Column> columns_of(const Scenario& scenario) {
    std::vector<Column> columns = candidate_columns(scenario, false);
    for (Column& column : columns) {
        if (column.key == "reason") column.title.clear();
        if (column.key == "power_w") column.priority = 2;
        if (column.key == "binding_constraint") column.priority = 3;
        if (column.key == "gpus" || column.key == "cost_usd_per_hour") column.priority = 1;
        if (column.title == "layout") column.priority = 4;
        // Of tails only those that this scenario promises bear a title; others may promise different ones.
        if (column.key == "node" || column.key == "model") column.wrap = true;
    }
    columns.insert(columns.begin(), Column{"scenario", "scenario", 0, true});
    columns.insert(columns.begin() + 1, Column{"file", "", 0});
    return columns;
}

void add_changes(const Row& baseline, const std::vector<Column>& columns, Row& row) {
    static const std::set<std::string> compared{
        "nodes", "gpus", "users_per_node", "cost_usd_per_hour", "power_w", "rate_per_node_per_s"};
    for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string& key = columns[i].key;
        const bool latency = key.find("_s.") != key.npos;
        if ((!latency && !compared.count(key)) || !row[i].is_number() || !baseline[i].is_number()) continue;
        const double from = std::get<double>(baseline[i].value), to = std::get<double>(row[i].value);
        if (from != 0.0) row[i].change = to / from - 1.0;
    }
}

Row row_of(const Planned& planned, const std::string& label, const Transformer* model) {
    const Answer* answer = best_answer(planned.plan, model);
    Row row = candidate_row(planned.scenario, model, answer ? answer->node : nullptr,
                            answer && answer->best ? &*answer->best : nullptr, answer ? "" : "nothing is feasible");
    row.insert(row.begin(), {Cell(label), Cell(planned.file)});
    return row;
}

/// The models of a scenario that stand for the n-th of the baseline: the same name, or the only one of each.
const Transformer* counterpart(const Scenario& scenario, const Transformer* model, bool single) {
    if (single) return scenario.models.front();
    const auto found = std::find(scenario.models.begin(), scenario.models.end(), model);
    return found == scenario.models.end() ? nullptr : *found;
}

Document run(const Arguments& arguments, Session& session) {
    const std::vector<std::string>& files = arguments.values("SCENARIO");
    if (files.size() < 2) throw InputError("compare", "give at least two scenario files");
    const std::size_t baseline = baseline_of(files, arguments);
    std::vector<Planned> all;
    for (const std::string& file : files) {
        Scenario scenario = read_scenario(file, overrides_of(arguments), session.catalog());
        Plan planned = plan(scenario, session.catalog());
        all.push_back({file, std::move(scenario), std::move(planned)});
    }
    const std::vector<std::string> names = labels(all);
    const bool single =
        std::all_of(all.begin(), all.end(), [](const Planned& p) { return p.scenario.models.size() == 1; });

    Document document;
    const std::vector<Column> columns = columns_of(all[baseline].scenario);
    Table everything{"comparison", "", columns, {}, false};
    document.items.push_back(
        Paragraph{"Changes are against " + names[baseline] + "; of node types the cheapest counts."});
    bool feasible = false;
    for (const Transformer* model : all[baseline].scenario.models) {
        Table table{"", single ? "" : model->name, columns, {}};
        const Row reference = row_of(all[baseline], names[baseline], model);
        for (std::size_t i = 0; i < all.size(); ++i) {
            const Transformer* own = counterpart(all[i].scenario, model, single);
            if (!own) continue;
            Row row = row_of(all[i], names[i], own);
            if (i != baseline) add_changes(reference, columns, row);
            feasible = feasible || best_answer(all[i].plan, own) != nullptr;
            table.rows.push_back(row);
            everything.rows.push_back(std::move(row));
        }
        if (!single) table.columns[2].title.clear();
        document.items.push_back(std::move(table));
    }
    document.items.insert(document.items.begin(), {Paragraph{names[baseline], "baseline"}});
    std::get<Paragraph>(document.items.front()).shown = false;
    document.items.push_back(std::move(everything));
    if (!feasible) document.exit_code = 3;
    return document;
}

}  // namespace

void register_compare(Registry<Command>& registry) {
    Command command{.summary = "Several scenarios side by side, with the change against one of them",
                    .examples = {"plimsoll compare scenarios/chat-10k-users.json scenarios/chat-10k-users.json"},
                    .positionals = {{.name = "SCENARIO",
                                     .help = "scenario files, at least two",
                                     .many = true,
                                     .completes = "files"}},
                    .options = scenario_options(),
                    .run = run};
    command.options.insert(command.options.begin(), {.name = "baseline",
                                                     .value = "SCENARIO",
                                                     .help = "the one to compare with; the first if absent",
                                                     .completes = "files"});
    registry.add("compare", std::move(command));
}

}  // namespace plimsoll
