#include "calibrate/row_condition.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

using Relation = RowCondition::Relation;

std::optional<double> number_or_nothing(const std::string& text) {
    try {
        return parse_number(text, "");
    } catch (const InputError&) {
        return std::nullopt;
    }
}

double heads(const Csv& table, std::size_t row, const std::string& column) {
    const double count = table.number(row, column).value_or(0.0);
    if (!(count > 0))
        throw InputError(table.place(row) + " " + column,
                         "must be a positive number, got " + in_quotes(table.text(row, column)));
    return count;
}

std::string cell_of(const std::string& column, const Csv& table, std::size_t row) {
    // Query heads on a KV head is what decides between kernels, and no column.
    const bool of_heads = column == "group" && !table.has(column) && table.has("heads") && table.has("kv_heads");
    return of_heads ? fmt::format("{}", heads(table, row, "heads") / heads(table, row, "kv_heads"))
                    : table.text(row, column);
}

bool holds(const RowCondition& condition, const Csv& table, std::size_t row) {
    const std::string cell = cell_of(condition.column, table, row);
    if (condition.relation == Relation::equal) {
        const auto value = number_or_nothing(cell), wanted = number_or_nothing(condition.value);
        return cell == condition.value || (value && wanted && *value == *wanted);
    }
    const double limit = parse_number(condition.value, "--where");
    if (cell.empty() || is_doubted(cell)) return false;
    const double value = parse_number(cell, table.place(row) + " " + condition.column);
    return condition.relation == Relation::at_least ? value >= limit : value <= limit;
}

}  // namespace

RowCondition parse_condition(const std::string& text) {
    const auto at = text.find_first_of("=<>");
    if (at == std::string::npos || at == 0)
        throw InputError("--where", in_quotes(text) + " is no condition: COLUMN=VALUE, COLUMN>=VALUE, COLUMN<=VALUE");
    const bool two = text[at] != '=';
    if (two && (at + 1 >= text.size() || text[at + 1] != '='))
        throw InputError("--where", in_quotes(text) + ": only =, >= and <= are known");
    RowCondition condition{text.substr(0, at), Relation::equal, text.substr(at + (two ? 2 : 1))};
    if (text[at] == '>') condition.relation = Relation::at_least;
    if (text[at] == '<') condition.relation = Relation::at_most;
    return condition;
}

Csv rows_where(const Csv& table, const std::vector<RowCondition>& conditions) {
    if (conditions.empty()) return table;
    std::vector<std::size_t> rows;
    for (std::size_t row = 0; row < table.rows(); ++row)
        if (std::all_of(conditions.begin(), conditions.end(), [&](const auto& c) { return holds(c, table, row); }))
            rows.push_back(row);
    return table.only(rows);
}

}  // namespace plimsoll
