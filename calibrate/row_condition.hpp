#pragma once
#include <string>
#include <vector>

#include "model/base/csv.hpp"

namespace plimsoll {

/// A condition on a column (or on `group`, the query heads of a KV head): numbers compare with = >= <=, texts with =
/// alone.
struct RowCondition {
    std::string column;
    enum class Relation { equal, at_least, at_most } relation = Relation::equal;
    std::string value;
};
/// "gpu=a100", "n>=1024", "m<=64"; throws InputError at --where for anything else.
[[nodiscard]] RowCondition parse_condition(const std::string& text);

/// The rows that satisfy all conditions; what they name need not be known. An empty cell, or a number that its author
/// doubts, is within no bound. Throws InputError for a column that the table has not and for a text where a number is
/// compared.
[[nodiscard]] Csv rows_where(const Csv& table, const std::vector<RowCondition>& conditions);

}  // namespace plimsoll
