#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

/// The words between blanks.
[[nodiscard]] std::vector<std::string> split_words(std::string_view text);
/// The lines, without what a terminal takes as orders (ESC [ ... letter).
[[nodiscard]] std::vector<std::string> plain_lines(std::string_view text);
/// The number that a text begins with; none where it begins with something else ("N/A").
[[nodiscard]] std::optional<double> leading_number(std::string_view text);

}  // namespace plimsoll
