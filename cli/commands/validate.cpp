#include "scenarios/validate.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/import_options.hpp"
#include "cli/session.hpp"
#include "cli/skipped_rows.hpp"
#include "cli/step_validation_document.hpp"
#include "model/base/csv.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"
#include "scenarios/protocols.hpp"

namespace plimsoll {
namespace {

constexpr std::array<std::string_view, validated_columns.size()> titles{"TTFT s", "TPOT ms", "users", "requests /s"};
constexpr std::array<double, validated_columns.size()> shown_per_unit{1.0, 1e3, 1.0, 1.0};
constexpr std::array<std::string_view, validated_columns.size()> keys{"ttft_s", "tpot_s", "users",
                                                                      "request_rate_per_s"};

ValidationAssumptions assumptions_of(const Arguments& arguments, Catalog& catalog) {
    ValidationAssumptions result;
    if (const auto name = arguments.value("assumptions")) result = assumptions_named(*name, catalog);
    if (const auto engine = arguments.value("engine")) result.engine = *engine;
    if (const auto node = arguments.value("node")) result.node = *node;
    if (const auto profile = arguments.value("profile"))
        result.profiles = profile_choice(*profile, "--profile", catalog);
    if (const auto weights = arguments.value("weights")) result.weights = parse_dtype(*weights, "--weights");
    if (const auto think = arguments.value("think-time"))
        result.think_time = Distribution::parse_seconds(*think, "--think-time");
    if (const auto protocol = arguments.value("protocol")) result.steady_state = *protocol == "steady-state";
    if (const auto requests = arguments.integer("requests", {1, 1e6})) result.requests = *requests;
    if (const auto ramp = arguments.value("ramp")) result.ramp = parse_quantity<Seconds>(*ramp, "--ramp");
    return result;
}

/// "3.1 : 2.87" and the error below.
Cell pair_cell(const ValidatedValue& value, double per_unit) {
    if (!value.measured && !value.predicted) return {};
    const auto text = [&](const std::optional<double>& v) {
        return v ? plain_number(*v * per_unit) : std::string("-");
    };
    const auto error = value.error();
    return text(value.measured) + " : " + text(value.predicted) + (error ? "\n" + change_text(*error) : "");
}

Cell number_or_unknown(const std::optional<double>& value) {
    return value ? Cell::number(*value) : Cell();
}

Cell text_or_unknown(const std::string& text) {
    Cell cell;
    if (!text.empty()) cell = Cell(text);
    return cell;
}

Table rows_table(const Validation& validation) {
    Table table{"rows",
                "Measured : predicted, and the error",
                {{"place", "", 0},
                 {"model", "model", 0},
                 {"gpu", "GPU", 0},
                 {"node", "node", 4},
                 {"tensor_parallel", "TP", 1},
                 {"load", "load", 2}},
                {}};
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const std::string key(keys[i]);
        table.columns.push_back({"", std::string(titles[i]), i < 3 ? 0 : 3});
        table.columns.push_back({key + ".measured", "", 0});
        table.columns.push_back({key + ".predicted", "", 0});
        table.columns.push_back({key + ".error", "", 0});
        table.columns.push_back({key + ".not_judged", "", 0});
    }
    table.columns.push_back({"skipped", "", 0});
    for (const ValidationRow& row : validation.rows) {
        Row cells{row.place, row.model, row.gpu, row.node, Cell::count(row.tensor_parallel), row.load};
        for (std::size_t i = 0; i < keys.size(); ++i) {
            const ValidatedValue& value = row.values[i];
            cells.push_back(pair_cell(value, shown_per_unit[i]));
            cells.push_back(number_or_unknown(value.measured));
            cells.push_back(number_or_unknown(value.predicted));
            cells.push_back(number_or_unknown(value.error()));
            cells.push_back(text_or_unknown(value.not_judged));
        }
        cells.push_back(text_or_unknown(row.skipped));
        table.rows.push_back(std::move(cells));
    }
    return table;
}

std::vector<Column> summary_columns() {
    return {{"n", "rows", 0},
            {"median_ape", "median error", 0},
            {"p90_ape", "p90 error", 1},
            {"bias", "bias", 2},
            {"baseline_median_ape", "median error of a constant", 0},
            {"within_factor_two", "within a factor of two", 3}};
}

Row summary_row(const ValidationSummary& summary) {
    if (summary.n == 0) return {Cell::count(0), Cell(), Cell(), Cell(), Cell(), Cell::count(0)};
    return {Cell::count(summary.n),
            Cell::fraction(summary.median_ape),
            Cell::fraction(summary.p90_ape),
            Cell(Kind::change, summary.bias),
            Cell::fraction(summary.baseline_median_ape),
            Cell::count(summary.within_factor_two)};
}

/// `summary.<column>.<statistic>` for machines, a table for people.
void add_summary(const Validation& validation, std::vector<Item>& items) {
    Facts facts{"summary", "", {}};
    Table table{"", "Absolute errors, all rows", summary_columns(), {}};
    table.columns.insert(table.columns.begin(), Column{"", "quantity", 0});
    for (std::size_t i = 0; i < validated_columns.size(); ++i) {
        Row row = summary_row(validation.summary[i]);
        const std::vector<Column> columns = summary_columns();
        for (std::size_t c = 0; c < columns.size(); ++c)
            facts.facts.push_back({std::string(validated_columns[i]) + "." + columns[c].key, "", row[c]});
        row.insert(row.begin(), Cell(validated_columns[i]));
        table.rows.push_back(std::move(row));
    }
    items.push_back(std::move(facts));
    items.push_back(std::move(table));
    Table by_gpu{"by_gpu", "By GPU", summary_columns(), {}};
    by_gpu.columns.insert(by_gpu.columns.begin(), {Column{"gpu", "GPU", 0}, Column{"quantity", "quantity", 0}});
    for (const auto& [gpu, summaries] : validation.by_gpu)
        for (std::size_t i = 0; i < validated_columns.size(); ++i) {
            if (summaries[i].n == 0) continue;
            Row row = summary_row(summaries[i]);
            row.insert(row.begin(), {Cell(gpu), Cell(validated_columns[i])});
            by_gpu.rows.push_back(std::move(row));
        }
    items.push_back(std::move(by_gpu));
}

/// "2.95 : 2.71 : 0.8" and the two errors below.
Cell both_cell(const ProtocolValue& value, double per_unit) {
    const auto text = [&](const std::optional<double>& v) {
        return v ? plain_number(*v * per_unit) : std::string("-");
    };
    std::string shown = text(value.measured) + " : " + text(value.drain) + " : " + text(value.steady);
    if (value.drain_error() && value.steady_error())
        shown += "\n" + change_text(*value.drain_error()) + "  " + change_text(*value.steady_error());
    return shown;
}

Table protocols_table(const ProtocolComparison& comparison) {
    Table table{"protocols",
                "Measured : draining the queue : steady state, and both errors (rows with printed lengths)",
                {{"place", "", 0},
                 {"model", "model", 0},
                 {"gpu", "GPU", 0},
                 {"tensor_parallel", "TP", 0},
                 {"load", "load", 0},
                 {"users", "users", 0},
                 {"requests", "", 0},
                 {"rate_from_tokens", "", 0}},
                {}};
    constexpr std::array<std::size_t, protocol_columns.size()> column_of{0, 1, 3};
    for (const std::size_t i : column_of) {
        const std::string key(keys[i]);
        table.columns.push_back({"", std::string(titles[i]), 0});
        for (const char* part : {".measured", ".drain", ".steady", ".drain_error", ".steady_error"})
            table.columns.push_back({key + part, "", 0});
    }
    for (const ProtocolRow& row : comparison.rows) {
        Row cells{row.place,
                  row.model,
                  row.gpu,
                  Cell::count(row.tensor_parallel),
                  row.load,
                  Cell::count(row.users),
                  Cell::count(row.requests),
                  Cell::flag(row.rate_from_tokens)};
        for (std::size_t c = 0; c < column_of.size(); ++c) {
            const ProtocolValue& value = row.values[c];
            cells.push_back(both_cell(value, shown_per_unit[column_of[c]]));
            for (const auto& v : {value.measured, value.drain, value.steady, value.drain_error(), value.steady_error()})
                cells.push_back(number_or_unknown(v));
        }
        table.rows.push_back(std::move(cells));
    }
    return table;
}

Table protocols_summary(const ProtocolComparison& comparison) {
    Table table{"protocol_summary",
                "Absolute errors of both protocols",
                {{"quantity", "quantity", 0},
                 {"n", "rows", 0},
                 {"drain.median_ape", "drain: median error", 0},
                 {"drain.p90_ape", "p90 error", 1},
                 {"drain.bias", "bias", 1},
                 {"steady.median_ape", "steady: median error", 0},
                 {"steady.p90_ape", "p90 error", 1},
                 {"steady.bias", "bias", 1},
                 {"drain_nearer", "drain nearer", 0}},
                {}};
    for (std::size_t c = 0; c < protocol_columns.size(); ++c) {
        const ProtocolSummary& s = comparison.summary[c];
        if (s.drain.n == 0) continue;
        table.rows.push_back({Cell(protocol_columns[c]), Cell::count(s.drain.n), Cell::fraction(s.drain.median),
                              Cell::fraction(s.drain.p90), Cell(Kind::change, s.drain.bias),
                              Cell::fraction(s.steady.median), Cell::fraction(s.steady.p90),
                              Cell(Kind::change, s.steady.bias), Cell::count(s.drain_nearer)});
    }
    return table;
}

Document run(const Arguments& arguments, Session& session) {
    Catalog& catalog = session.catalog();
    const Imported imported =
        import_files(arguments.values("FILE"), import_choice(arguments), {MeasuredKind::serving, MeasuredKind::steps});
    const Csv& measured = imported.table;
    if (measured_by(measured) == MeasuredKind::steps) return step_validation_document(imported, arguments, catalog);
    const ValidationAssumptions assumptions = assumptions_of(arguments, catalog);
    const Validation validation = validate(measured, assumptions, catalog);
    Document document;
    if (arguments.value("protocol") == "both") {
        const ProtocolComparison comparison = compare_protocols(measured, assumptions, catalog);
        document.items.push_back(protocols_table(comparison));
        document.items.push_back(protocols_summary(comparison));
        document.items.push_back(Bullets{"explained", "What each explains:", comparison.explained});
    }
    add_judged_rows(rows_table(validation), document.items);
    if (!imported.left_out.empty())
        document.items.push_back(Bullets{"left_out", "Left out of the files:", imported.left_out});
    add_summary(validation, document.items);
    document.items.push_back(Bullets{"assumptions", "Assumed:", validation.assumptions});
    return document;
}

}  // namespace

void register_validate(Registry<Command>& registry) {
    Command command{
        .summary = "Predictions beside a table of measurements, with the errors",
        .description =
            "The table is CSV with the columns model, gpu, gpu_mem_gb, link, tp, load, prompt_tokens, "
            "output_tokens, users, ttft_s, tpot_s, request_rate_per_s (others are ignored), or what another "
            "tool printed (docs/calibrate.md). Rows of whole steps and batches, such as llama-bench's, are held "
            "against the cost of a step; for them --engine adds an engine's host times, limits and rules. What "
            "such a row names and nobody knows leaves it out, with the reason.",
        .examples = {"plimsoll validate tests/cli/measurements/a100.csv",
                     "plimsoll validate tests/data/importers/llama_bench.md --column model=llama-2-7b",
                     "plimsoll validate tests/data/steps/mixed_sources.csv --where source=paper --engine "
                     "fastertransformer"},
        .positionals = {{.name = "FILE", .help = "tables of measurements", .many = true, .completes = "files"}},
        .options = {{.name = "assumptions",
                     .value = "NAME",
                     .help = "what the table does not say: an entry of scenarios/library/assumptions or a file",
                     .fallback = "serving-matrix-2023"},
                    {.name = "engine", .value = "NAME", .help = "serving engine", .completes = "engines"},
                    {.name = "node", .value = "NAME", .help = "node type of every row", .completes = "nodes"},
                    {.name = "weights", .value = "DTYPE", .help = "weight dtype"},
                    {.name = "profile",
                     .value = "NAME",
                     .help = "the only profile of measured kernels to use, or none",
                     .completes = "profiles"},
                    {.name = "think-time", .value = "TIME", .help = "such as uniform:min=1s,max=3s"},
                    {.name = "protocol",
                     .value = "WORD",
                     .help = "whether a run drains a shared queue or is steady; both: side by side, for rows "
                             "with printed lengths",
                     .choices = {"drain", "steady-state", "both"}},
                    {.name = "requests", .value = "N", .help = "requests of the shared queue"},
                    {.name = "ramp", .value = "TIME", .help = "over which the users of a run start"}},
        .run = run};
    for (Option& option : import_options()) command.options.push_back(std::move(option));
    registry.add("validate", std::move(command));
}

}  // namespace plimsoll
