#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "cli/document.hpp"

namespace plimsoll {

/// A table in `width` columns: less important columns are dropped (their titles join `dropped`), texts wrapped, numbers
/// never cut.
[[nodiscard]] std::string layout_table(const Table& table, std::size_t width, std::vector<std::string>& dropped);
/// Two columns without a head.
[[nodiscard]] std::string layout_facts(const Facts& facts, std::size_t width);

}  // namespace plimsoll
