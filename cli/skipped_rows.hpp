#pragma once
#include <vector>

#include "cli/document.hpp"

namespace plimsoll {

/// Adds a table with the columns `place` and `skipped`: machines get all its rows, people those that were not skipped,
/// and after them how many were, for which reasons and where each came first.
void add_judged_rows(Table rows, std::vector<Item>& items);

}  // namespace plimsoll
