#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "calibrate/accuracy.hpp"
#include "cli/command.hpp"
#include "cli/session.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

Cell text_or_unknown(const std::string& text) {
    return text.empty() ? Cell() : Cell(text);
}

Table accuracy_table(const std::string& key, const std::string& title) {
    return {key,
            title,
            {{"operator", "operator", 0, true},
             {"gpu", "GPU", 0, true},
             {"library", "library", 0, true},
             {"topology", "topology", 1, true},
             {"dtype", "type", 0, true},
             {"kv_dtype", "KV type", 1},
             {"train", "fitted", 0, true},
             {"train_rows", "rows fitted", 2},
             {"rows", "rows in all", 2},
             {"mape", "mean error", 0},
             {"worst_mape", "worst seed", 2},
             {"median_ape", "median", 3},
             {"p90_ape", "p90", 0},
             {"bias", "bias", 3},
             {"coverage50", "in 50 %", 2},
             {"coverage80", "in 80 %", 2},
             {"coverage90", "in 90 %", 2}},
            {}};
}

Row accuracy_row(const GroupAccuracy& one) {
    const KernelGroup& group = one.group;
    return {Cell(group.kernel),
            text_or_unknown(group.gpu),
            text_or_unknown(group.library),
            text_or_unknown(group.topology),
            text_or_unknown(group.dtype),
            text_or_unknown(group.kv_dtype),
            Cell(one.train),
            Cell::count(static_cast<double>(one.train_rows)),
            Cell::count(static_cast<double>(one.rows)),
            Cell::fraction(one.mean.mape),
            Cell::fraction(one.worst_mape),
            Cell::fraction(one.mean.median_ape),
            Cell::fraction(one.mean.p90_ape),
            Cell(Kind::change, one.mean.bias),
            Cell::fraction(one.mean.coverage50),
            Cell::fraction(one.mean.coverage80),
            Cell::fraction(one.mean.coverage90)};
}

/// For people: a table for each operator, in which GPU and rows to fit stand above the groups that share them.
std::vector<Table> one_an_operator(const Table& groups) {
    std::vector<Table> tables;
    for (const Row& row : groups.rows) {
        const std::string title = to_text(row.front()) + ": errors on rows that were not fitted, means over seeds";
        if (tables.empty() || tables.back().title != title) {
            Table table = accuracy_table("", title);
            table.columns.front().title.clear();
            for (Column& column : table.columns) column.heading = column.key == "gpu" || column.key == "train";
            tables.push_back(std::move(table));
        }
        tables.back().rows.push_back(row);
    }
    return tables;
}

/// Groups that fit worse than their kind for a reason that is known, each once.
Table causes_table(const std::vector<GroupAccuracy>& groups) {
    Table table{"causes",
                "Worse than their kind",
                {{"operator", "operator", 0, true, "", true},
                 {"gpu", "GPU", 0, true, "", true},
                 {"library", "library", 0, true},
                 {"dtype", "type", 0, true},
                 {"cause", "cause", 0, true}},
                {}};
    std::set<KernelGroup> told;
    for (const GroupAccuracy& one : groups) {
        const KernelGroup& group = one.group;
        const std::string_view cause = known_cause(group);
        if (cause.empty() || !told.insert(group).second) continue;
        table.rows.push_back(
            {Cell(group.kernel), Cell(group.gpu), Cell(group.library), Cell(group.dtype), Cell(std::string(cause))});
    }
    return table;
}

Document run(const Arguments& arguments, Session& session) {
    const std::filesystem::path folder = *arguments.value("DIR");
    const auto seeds = static_cast<std::uint64_t>(arguments.integer("seeds", {1, 1000}).value_or(3));
    const std::uint32_t threads = std::max(1U, std::thread::hardware_concurrency());
    Table groups = accuracy_table("groups", "");
    groups.shown = false;
    Table pooled = accuracy_table("operators", "All groups together");
    for (Column& column : pooled.columns)
        if (column.key == "gpu" || column.key == "library" || column.key == "dtype") column.title.clear();
    std::vector<GroupAccuracy> judged;
    bool found = false;
    for (const AccuracyRule& rule : accuracy_rules()) {
        if (!std::filesystem::exists(folder / rule.file)) continue;
        found = true;
        const TableAccuracy accuracy =
            judge_table(Csv::from_file((folder / rule.file).string()), rule, seeds, session.catalog(), threads);
        for (const GroupAccuracy& one : accuracy.groups) groups.rows.push_back(accuracy_row(one));
        judged.insert(judged.end(), accuracy.groups.begin(), accuracy.groups.end());
        for (const GroupAccuracy& one : accuracy.pooled) pooled.rows.push_back(accuracy_row(one));
    }
    if (!found) {
        std::string names;
        for (const AccuracyRule& rule : accuracy_rules()) names += (names.empty() ? "" : ", ") + rule.file;
        throw InputError(folder.string(), "holds no table of kernels (" + names + ")");
    }
    Document document;
    const std::vector<Table> shown = one_an_operator(groups);
    if (groups.rows.empty())
        document.items.emplace_back(
            Paragraph{fmt::format("No group of one GPU, library and type has the {} rows that it takes to judge it.",
                                  AccuracyRule{}.fewest)});
    document.items.emplace_back(std::move(groups));
    document.items.insert(document.items.end(), shown.begin(), shown.end());
    document.items.emplace_back(std::move(pooled));
    Table causes = causes_table(judged);
    if (!causes.rows.empty()) document.items.emplace_back(std::move(causes));
    return document;
}

}  // namespace

void register_calibrate_accuracy(Registry<Command>& registry) {
    registry.add("calibrate accuracy",
                 {.summary = "How well the kernel forms do on a folder of measured kernels",
                  .description = "Fits every GPU, library and type of the tables in the folder to a part of its rows "
                                 "and judges it by the others, with several seeds: GEMM from 1024 x 1024, prefill "
                                 "from 128 tokens and 8 heads, decode from 256 tokens and 8 heads.",
                  .examples = {"plimsoll calibrate accuracy tests/cli/kernels --seeds 1"},
                  .positionals = {{.name = "DIR", .help = "a folder of CSV tables", .completes = "directories"}},
                  .options = {{.name = "seeds", .value = "N", .help = "splits to average over", .fallback = "3"}},
                  .run = run});
}

}  // namespace plimsoll
