#pragma once
#include <string>
#include <vector>

#include "scenarios/serving_constants.hpp"

namespace plimsoll {

/// A row that a fit uses.
struct ServingTableRow {
    std::size_t index = 0;      ///< in the table
    std::string place;          ///< file:line
    std::string campaign;       ///< model and load
    double ttft = 0, tpot = 0;  ///< s
    int users = 0;
    MeasuredRow measured;
};

/// The rows of a table of serving runs that can be predicted, and why others cannot.
struct ServingTable {
    std::vector<ServingTableRow> rows;
    std::vector<std::string> campaigns;  ///< in order of appearance
    std::vector<std::string> skipped;    ///< "file:line: why"
};

/// Reads the columns of `validate`. Throws InputError for a table without them, for a latency or a count of users that
/// is not above zero, for latencies that must be in another unit, for a row that stands there twice, and for fewer than
/// five rows that can be predicted.
[[nodiscard]] ServingTable read_serving_table(const Csv& table, const ValidationAssumptions& assumptions,
                                              Catalog& catalog);

}  // namespace plimsoll
