#include "cli/step_validation_document.hpp"

#include "cli/skipped_rows.hpp"
#include "model/base/error.hpp"
#include "scenarios/step_validation.hpp"

namespace plimsoll {
namespace {

StepAssumptions assumptions_of(const Arguments& arguments, Catalog& catalog) {
    for (const char* option : {"assumptions", "think-time", "protocol", "requests", "ramp"})
        if (arguments.given(option))
            throw InputError(std::string("--") + option, "says nothing of single steps, which these rows are");
    StepAssumptions result;
    result.engine = arguments.value("engine").value_or("");
    result.node = arguments.value("node").value_or("");
    if (const auto weights = arguments.value("weights")) result.weights = parse_dtype(*weights, "--weights");
    if (const auto profile = arguments.value("profile"))
        result.profiles = profile_choice(*profile, "--profile", catalog);
    return result;
}

Cell count_or_unknown(double count) {
    return count > 0 ? Cell::count(count) : Cell();
}

Table rows_table(const StepValidation& validation) {
    Table table{"rows",
                "Measured and predicted",
                {{"place", "", 0},
                 {"model", "model", 0, true},
                 {"weights", "weights", 1},
                 {"gpu", "GPU", 1, true},
                 {"phase", "phase", 0},
                 {"batch", "batch", 0},
                 {"prompt_tokens", "prompt", 0},
                 {"context_tokens", "context", 0},
                 {"output_tokens", "output", 0},
                 {"measured_s", "measured", 0},
                 {"deviation_s", "+-", 2},
                 {"predicted_s", "predicted", 0},
                 {"error", "error", 0},
                 {"skipped", "", 0}},
                {}};
    for (const StepRow& row : validation.rows) {
        Row cells{row.place,
                  row.model,
                  row.weights,
                  row.gpu,
                  Cell(step_phases[static_cast<std::size_t>(row.phase)]),
                  count_or_unknown(row.batch),
                  count_or_unknown(row.prompt),
                  row.phase == StepPhase::mixed ? Cell() : Cell::count(row.context),
                  count_or_unknown(row.output),
                  row.measured > 0 ? Cell(Seconds(row.measured)) : Cell(),
                  row.deviation > 0 ? Cell(Seconds(row.deviation)) : Cell()};
        const bool known = row.skipped.empty();
        cells.push_back(known ? Cell(Seconds(row.predicted)) : Cell());
        cells.push_back(known ? Cell(Kind::change, row.error()) : Cell());
        cells.push_back(known ? Cell() : Cell(row.skipped));
        table.rows.push_back(std::move(cells));
    }
    return table;
}

/// Where a table is of several sources, engines or GPUs: the errors of each.
Table groups_table(const StepValidation& validation) {
    Table table{"groups",
                "By source, engine, GPU and phase",
                {{"source", "source", 2},
                 {"engine", "engine", 1},
                 {"gpu", "GPU", 0},
                 {"phase", "phase", 0},
                 {"n", "rows", 0},
                 {"median_ape", "median error", 0},
                 {"p90_ape", "p90 error", 0},
                 {"median_error", "median with its sign", 0}},
                {}};
    for (const StepGroup& group : validation.groups)
        table.rows.push_back({group.source.empty() ? Cell() : Cell(group.source),
                              group.engine.empty() ? Cell() : Cell(group.engine), Cell(group.gpu),
                              Cell(step_phases[static_cast<std::size_t>(group.phase)]), Cell::count(group.errors.n),
                              Cell::fraction(group.errors.median), Cell::fraction(group.errors.p90),
                              Cell(Kind::change, group.errors.middle)});
    return table;
}

/// `summary.<phase>.<statistic>` for machines, a table for people.
void add_summary(const StepValidation& validation, std::vector<Item>& items) {
    Facts facts{"summary", "", {}};
    Table table{"",
                "Absolute errors",
                {{"", "phase", 0}, {"", "rows", 0}, {"", "median error", 0}, {"", "p90 error", 1}, {"", "bias", 1}},
                {}};
    for (std::size_t i = 0; i < step_phases.size(); ++i) {
        const ErrorSummary& e = validation.summary[i];
        const std::string phase(step_phases[i]);
        facts.facts.push_back({phase + ".n", "", Cell::count(e.n)});
        if (e.n == 0) continue;
        facts.facts.push_back({phase + ".median_ape", "", Cell::fraction(e.median)});
        facts.facts.push_back({phase + ".p90_ape", "", Cell::fraction(e.p90)});
        facts.facts.push_back({phase + ".bias", "", Cell(Kind::change, e.bias)});
        facts.facts.push_back({phase + ".median_error", "", Cell(Kind::change, e.middle)});
        table.rows.push_back({Cell(phase), Cell::count(e.n), Cell::fraction(e.median), Cell::fraction(e.p90),
                              Cell(Kind::change, e.bias)});
    }
    items.push_back(std::move(facts));
    items.push_back(std::move(table));
}

}  // namespace

Document step_validation_document(const Imported& imported, const Arguments& arguments, Catalog& catalog) {
    const StepValidation validation = validate_steps(imported.table, assumptions_of(arguments, catalog), catalog);
    Document document;
    add_judged_rows(rows_table(validation), document.items);
    std::vector<std::string> left_out = imported.left_out;
    for (const StepRow& row : validation.rows)
        if (!row.skipped.empty()) left_out.push_back(row.place + ": " + row.skipped);
    if (!left_out.empty()) document.items.push_back(Bullets{"left_out", "", std::move(left_out), false});
    document.items.push_back(Bullets{"", "Left out of the files:", imported.left_out});
    document.items.push_back(groups_table(validation));
    add_summary(validation, document.items);
    document.items.push_back(Bullets{"assumptions", "Assumed:", validation.assumptions});
    return document;
}

}  // namespace plimsoll
