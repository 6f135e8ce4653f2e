#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/importer.hpp"

namespace plimsoll {

/// The lines of a text without their ends, numbered from 1 by their index.
[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);
/// Without white space at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);
/// The words of a line between white space.
[[nodiscard]] std::vector<std::string_view> words_of(std::string_view line);
/// The cells of a line of a Markdown table, trimmed; empty where the line is none.
[[nodiscard]] std::vector<std::string> markdown_cells(std::string_view line);
/// Whether a line is the rule below a Markdown table's header ("| --- | ---: |").
[[nodiscard]] bool is_markdown_rule(const std::vector<std::string>& cells);

/// The objects of a JSON object, a list of them, or one of them a line (JSON lines); places count lines from 1.
/// Throws InputError where the text is none of these.
[[nodiscard]] std::vector<Fields> json_objects(const MeasuredText& text);
/// Any positive number up to `most`; throws InputError at the field.
[[nodiscard]] double positive_number(const Fields& fields, std::string_view key, double most);

/// The value given for a column, else what the file says; throws InputError that asks for --column where both are
/// missing.
[[nodiscard]] std::string given_or(const GivenColumns& given, const std::string& column,
                                   const std::optional<std::string>& said, const std::string& place);
/// A number as text that reads back the same.
[[nodiscard]] std::string number_text(double value);

}  // namespace plimsoll
