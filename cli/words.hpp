#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

/// Columns that a text takes on a terminal: one a code point.
[[nodiscard]] std::size_t display_width(std::string_view text);
/// The text broken at blanks into lines of at most `width`; a longer word is broken at hyphens or slashes, or where it
/// must be.
[[nodiscard]] std::vector<std::string> wrap(std::string_view text, std::size_t width);
/// The longest word of a text.
[[nodiscard]] std::size_t longest_word(std::string_view text);
/// The longest part of a text that is broken at blanks, inner hyphens and slashes.
[[nodiscard]] std::size_t longest_part(std::string text);

}  // namespace plimsoll
