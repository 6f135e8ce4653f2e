#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/document.hpp"

namespace plimsoll {

/// Columns that a text takes on a terminal: one a code point.
[[nodiscard]] std::size_t display_width(std::string_view text);
/// The text broken at blanks into lines of at most `width`; a longer word stands alone, broken where it must be.
[[nodiscard]] std::vector<std::string> wrap(std::string_view text, std::size_t width);
/// The longest word of a text.
[[nodiscard]] std::size_t longest_word(std::string_view text);
/// A table in `width` columns: less important columns are dropped (their titles join `dropped`), texts wrapped, numbers
/// never cut.
[[nodiscard]] std::string layout_table(const Table& table, std::size_t width, std::vector<std::string>& dropped);
/// Two columns without a head.
[[nodiscard]] std::string layout_facts(const Facts& facts, std::size_t width);

}  // namespace plimsoll
