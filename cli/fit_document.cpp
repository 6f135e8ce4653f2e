#include "cli/fit_document.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace plimsoll {
namespace {

struct Statistic {
    const char* key;
    const char* title;
    double TestErrors::*value;
    int priority;
};
constexpr Statistic statistics[] = {
    {"mape", "mean error", &TestErrors::mape, 0},          {"median_ape", "median error", &TestErrors::median_ape, 3},
    {"p90_ape", "p90 error", &TestErrors::p90_ape, 1},     {"bias", "bias", &TestErrors::bias, 3},
    {"coverage50", "in 50 %", &TestErrors::coverage50, 2}, {"coverage80", "in 80 %", &TestErrors::coverage80, 2},
    {"coverage90", "in 90 %", &TestErrors::coverage90, 2}};

Cell statistic_cell(const TestErrors& errors, const Statistic& statistic) {
    if (errors.n == 0) return {};
    const bool signed_value = statistic.value == &TestErrors::bias;
    return {signed_value ? Kind::change : Kind::fraction, errors.*statistic.value};
}

void add_columns(Table& table, const std::string& prefix) {
    table.columns.push_back({prefix + "n", "test rows", 1});
    for (const Statistic& s : statistics) table.columns.push_back({prefix + s.key, s.title, s.priority});
}

void add_cells(Row& row, const TestErrors& errors) {
    row.push_back(Cell::count(static_cast<double>(errors.n)));
    for (const Statistic& s : statistics) row.push_back(statistic_cell(errors, s));
}

/// `operators.<kernel>.test.<statistic>` for machines.
Facts operator_facts(const FitReport& report) {
    Facts facts{"operators", "", {}};
    for (const OperatorReport& op : report.operators) {
        facts.facts.push_back({op.kernel + ".test.n", "", Cell::count(static_cast<double>(op.test.n))});
        for (const Statistic& s : statistics)
            facts.facts.push_back({op.kernel + ".test." + s.key, "", statistic_cell(op.test, s)});
    }
    return facts;
}

Table operator_table(const FitReport& report) {
    Table table{"", "Rows that were not fitted, by operator", {{"", "operator", 0}}, {}};
    add_columns(table, "");
    for (const OperatorReport& op : report.operators) {
        Row row{Cell(op.kernel)};
        add_cells(row, op.test);
        table.rows.push_back(std::move(row));
    }
    return table;
}

Row group_cells(const KernelGroup& group) {
    Row row;
    for (const std::string* part :
         {&group.kernel, &group.gpu, &group.library, &group.topology, &group.dtype, &group.kv_dtype})
        row.push_back(part->empty() ? Cell() : Cell(*part));
    return row;
}

std::vector<Column> group_columns() {
    return {{"operator", "operator", 0, true, "", true},
            {"gpu", "GPU", 0, true, "", true},
            {"library", "library", 0, true},
            {"topology", "topology", 1, true},
            {"dtype", "type", 1},
            {"kv_dtype", "KV type", 1}};
}

Table group_table(const FitReport& report) {
    Table table{"groups", "By group", group_columns(), {}};
    table.columns.push_back({"train_rows", "fitted rows", 1});
    add_columns(table, "test.");
    for (const GroupReport& group : report.groups) {
        Row row = group_cells(group.fit.group);
        row.push_back(Cell::count(static_cast<double>(group.train_rows)));
        add_cells(row, group.test);
        table.rows.push_back(std::move(row));
    }
    return table;
}

Cell text_or_unknown(const std::string& text) {
    return text.empty() ? Cell() : Cell(text);
}

/// What was fitted for each path of each group, and its errors when points and whole shapes are left out.
Table model_table(const FitReport& report) {
    Table table{"models", "Fits", group_columns(), {}};
    for (const Column& column :
         {Column{"path", "path", 1, true}, Column{"form", "form", 0, true}, Column{"points", "points", 0},
          Column{"learner_centers", "points of the learner", 3}, Column{"left_out.mape", "points left out", 0},
          Column{"left_out.p90_ape", "p90", 2}, Column{"shapes_left_out.mape", "shapes left out", 1},
          Column{"shapes_left_out.p90_ape", "p90", 4}})
        table.columns.push_back(column);
    for (const GroupReport& group : report.groups)
        for (const KernelModel& model : group.fit.models) {
            Row row = group_cells(group.fit.group);
            for (const Cell& cell :
                 {text_or_unknown(model.path), Cell(model.form), Cell::count(static_cast<double>(model.points)),
                  Cell::count(static_cast<double>(model.learner.weights.size())),
                  Cell::fraction(model.residuals.mean_ape), Cell::fraction(model.residuals.p90_ape),
                  Cell::fraction(model.shape_residuals.mean_ape), Cell::fraction(model.shape_residuals.p90_ape)})
                row.push_back(cell);
            table.rows.push_back(std::move(row));
        }
    return table;
}

Table constant_table(const FitReport& report) {
    Table table{"parameters", "Constants", group_columns(), {}};
    for (const Column& column :
         {Column{"path", "path", 1, true}, Column{"name", "constant", 0, true}, Column{"value", "", 0},
          Column{"standard_error", "", 0}, Column{"", "value", 0}, Column{"unit", "unit", 0}})
        table.columns.push_back(column);
    for (Column& column : table.columns)
        if (column.key == "name")
            break;
        else
            column.heading = true;
    for (const GroupReport& group : report.groups)
        for (const KernelModel& model : group.fit.models)
            for (const FittedConstant& constant : model.constants) {
                Row row = group_cells(group.fit.group);
                for (const Cell& cell : {text_or_unknown(model.path), Cell(constant.name), Cell::number(constant.value),
                                         Cell::number(constant.standard_error),
                                         Cell(fmt::format("{:.3g} +- {:.2g}", constant.value, constant.standard_error)),
                                         text_or_unknown(std::string(unit_of(model, constant.name)))})
                    row.push_back(cell);
                table.rows.push_back(std::move(row));
            }
    return table;
}

Table outlier_table(const FitReport& report) {
    Table table{"outliers", "Rows far from the fit", {{"place", "row", 0}, {"ratio", "measured / fitted", 0}}, {}};
    std::vector<Outlier> all;
    for (const GroupReport& group : report.groups)
        all.insert(all.end(), group.fit.outliers.begin(), group.fit.outliers.end());
    std::sort(all.begin(), all.end(), [](const Outlier& a, const Outlier& b) {
        return std::abs(std::log(a.ratio)) > std::abs(std::log(b.ratio));
    });
    for (const Outlier& outlier : all) table.rows.push_back({Cell(outlier.place), Cell::number(outlier.ratio)});
    return table;
}

}  // namespace

std::string_view unit_of(const KernelModel& model, const std::string& constant) {
    if (const KernelForm* form = kernel_forms().find(model.form))
        for (const FormConstant& known : form->constants)
            if (known.name == constant) return known.unit;
    return "";
}

Document fit_document(const FitReport& report, const KernelTable& table) {
    Document document;
    document.items.push_back(operator_facts(report));
    document.items.push_back(operator_table(report));
    document.items.push_back(group_table(report));
    document.items.push_back(model_table(report));
    document.items.push_back(constant_table(report));
    document.items.push_back(outlier_table(report));
    document.items.push_back(Bullets{"implausible", "Left out:", table.implausible});
    document.items.push_back(Bullets{"groups_left_out", "Groups left out:", report.left_out});
    document.items.push_back(Facts{"rows",
                                   "",
                                   {{"read", "rows read", Cell::count(static_cast<double>(table.read))},
                                    {"taken", "taken", Cell::count(static_cast<double>(table.rows.size()))},
                                    {"merged", "repeats merged", Cell::count(static_cast<double>(table.duplicates))}}});
    return document;
}

}  // namespace plimsoll
