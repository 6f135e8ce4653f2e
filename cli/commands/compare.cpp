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

/// The scenario that is named by its file or as the answer calls it.
std::size_t baseline_of(const std::vector<std::string>& files, const std::vector<std::string>& names,
                        const Arguments& arguments) {
    const auto named = arguments.value("baseline");
    if (!named) return 0;
    for (const std::vector<std::string>* list : {&files, &names})
        if (const auto found = std::find(list->begin(), list->end(), *named); found != list->end())
            return static_cast<std::size_t>(found - list->begin());
    throw InputError("--baseline", unknown_name("scenario", *named, files));
}

/// The columns of a row: the scenario, then those of a plan's answers.
std::vector<Column> columns_of(const Scenario& scenario) {
    std::vector<Column> columns = candidate_columns(scenario, false);
    columns.insert(columns.begin(), {Column{"scenario", "", 0}, Column{"file", "", 0}});
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

/// The model that stands for one of the baseline's: of the same name, or the only one against the only one.
const Transformer* counterpart(const Scenario& scenario, const Scenario& baseline, const Transformer* model) {
    const auto found = std::find(scenario.models.begin(), scenario.models.end(), model);
    if (found != scenario.models.end()) return *found;
    return scenario.models.size() == 1 && baseline.models.size() == 1 ? scenario.models.front() : nullptr;
}

/// "llama-65b, llama-2-70b" of those models of `of` that no model of `among` stands for.
std::string without_counterpart(const Scenario& of, const Scenario& among) {
    std::string missing;
    for (const Transformer* model : of.models)
        if (!counterpart(among, of, model)) missing += (missing.empty() ? "" : ", ") + model->name;
    return missing;
}

/// Models that only the baseline or only another scenario asks for.
Bullets not_compared(const std::vector<Planned>& all, const std::vector<std::string>& names, std::size_t baseline) {
    Bullets bullets{"not_compared", "Not compared:", {}};
    const Scenario& reference = all[baseline].scenario;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const Scenario& other = all[i].scenario;
        if (const std::string missing = without_counterpart(reference, other); !missing.empty())
            bullets.lines.push_back(names[i] + " does not ask for " + missing);
        if (const std::string more = without_counterpart(other, reference); !more.empty())
            bullets.lines.push_back(names[i] + " alone asks for " + more);
    }
    return bullets;
}

/// Whether people read the column here, one line of the table each.
bool is_read(const Column& column) {
    static const std::set<std::string> left_out{"reason", "origin", "next_constraint", "survives_one_node_down"};
    return !column.title.empty() && !left_out.count(column.key);
}

/// Scenarios side by side, one fact a line.
Table side_by_side(const std::vector<Column>& columns, const std::vector<Row>& rows, const std::string& title) {
    Table table{"", title, {{"", "scenario", 0}}, {}};
    for (const Row& row : rows) table.columns.push_back({"", to_text(row.front()), 0, true});
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const bool known = std::any_of(rows.begin(), rows.end(), [&](const Row& row) { return row[i].known(); });
        if (!known || !is_read(columns[i])) continue;
        Row line{title_of(columns[i])};
        for (const Row& row : rows) {
            const std::string change = row[i].change ? "\n" + change_text(*row[i].change) : "";
            line.push_back(to_text(row[i], columns[i].unit) + change);
        }
        table.rows.push_back(std::move(line));
    }
    return table;
}

Document run(const Arguments& arguments, Session& session) {
    const std::vector<std::string>& files = arguments.values("SCENARIO");
    if (files.size() < 2) throw InputError("compare", "give at least two scenario files");
    std::vector<Planned> all;
    for (const std::string& file : files) {
        Scenario scenario = read_scenario(file, overrides_of(arguments), session.catalog());
        Plan planned = plan(scenario, session.catalog());
        all.push_back({file, std::move(scenario), std::move(planned)});
    }
    const std::vector<std::string> names = labels(all);
    const std::size_t baseline = baseline_of(files, names, arguments);
    const Scenario& reference = all[baseline].scenario;
    const std::vector<Column> columns = columns_of(reference);
    Document document;
    document.items.push_back(Paragraph{names[baseline], "baseline", false});
    document.items.push_back(Paragraph{"Changes are against " + names[baseline] +
                                       "; of several node types the cheapest "
                                       "counts."});
    Table everything{"comparison", "", columns, {}, false};
    bool feasible = false;
    for (const Transformer* model : reference.models) {
        const Row base = row_of(all[baseline], names[baseline], model);
        std::vector<Row> rows;
        for (std::size_t i = 0; i < all.size(); ++i) {
            const Transformer* own = counterpart(all[i].scenario, reference, model);
            if (!own) continue;
            rows.push_back(row_of(all[i], names[i], own));
            if (i != baseline) add_changes(base, columns, rows.back());
            feasible = feasible || best_answer(all[i].plan, own) != nullptr;
        }
        document.items.push_back(side_by_side(columns, rows, reference.models.size() > 1 ? model->name : ""));
        for (Row& row : rows) everything.rows.push_back(std::move(row));
    }
    document.items.push_back(std::move(everything));
    document.items.push_back(not_compared(all, names, baseline));
    Bullets left_out{"left_out", "Said by the scenarios, and not in this answer:", {}};
    for (std::size_t i = 0; i < all.size(); ++i)
        for (const std::string& sentence : all[i].scenario.left_out)
            left_out.lines.push_back(names[i] + ": " + sentence);
    document.items.push_back(std::move(left_out));
    if (!feasible) document.exit_code = 3;
    return document;
}

}  // namespace

void register_compare(Registry<Command>& registry) {
    Command command{.summary = "Several scenarios side by side, with the change against one of them",
                    .examples = {"plimsoll compare scenarios/chat-10k-users.json scenarios/chat-10k-users-rented.json"},
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
