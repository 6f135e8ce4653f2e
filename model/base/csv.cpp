#include "model/base/csv.hpp"

#include <algorithm>

#include "model/base/error.hpp"
#include "model/base/text_file.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

/// Takes one record off the front of `text`; `line` counts the line breaks passed.
std::vector<std::string> take_record(std::string_view& text, std::size_t& line, const std::string& name) {
    std::vector<std::string> cells(1);
    bool quoted = false;
    const std::size_t first_line = line;
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c == '\n') ++line;
        if (quoted) {
            if (c != '"') {
                cells.back() += c;
            } else if (!text.empty() && text.front() == '"') {
                cells.back() += '"';
                text.remove_prefix(1);
            } else {
                quoted = false;
            }
        } else if (c == '"' && cells.back().empty()) {
            quoted = true;
        } else if (c == ',') {
            cells.emplace_back();
        } else if (c == '\n') {
            break;
        } else if (c != '\r') {
            cells.back() += c;
        }
    }
    if (quoted) throw InputError(name + ":" + std::to_string(first_line), "a quoted cell is not closed");
    return cells;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

}  // namespace

Csv Csv::from_file(const std::string& path) {
    return from_text(text_of_file(path), path);
}

Csv Csv::from_text(std::string_view text, const std::string& name) {
    Csv csv;
    csv.name_ = name;
    if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
    if (text.find_first_not_of(" \r\n\t") == std::string_view::npos) throw InputError(name, "the file is empty");
    std::size_t line = 1;
    csv.columns_ = take_record(text, line, name);
    for (const std::string& column : csv.columns_)
        if (std::count(csv.columns_.begin(), csv.columns_.end(), column) > 1)
            throw InputError(name + ":1", "the column '" + column + "' stands twice");
    while (!text.empty()) {
        const std::size_t first_line = line;
        std::vector<std::string> cells = take_record(text, line, name);
        if (cells.size() == 1 && cells.front().empty()) continue;
        if (cells.size() != csv.columns_.size())
            throw InputError(name + ":" + std::to_string(first_line),
                             "expected " + std::to_string(csv.columns_.size()) + " cells as in the first line, got " +
                                 std::to_string(cells.size()));
        csv.add_row(name + ":" + std::to_string(first_line), std::move(cells));
    }
    return csv;
}

Csv Csv::with_columns(std::vector<std::string> columns, const std::string& name) {
    Csv csv;
    csv.name_ = name;
    csv.columns_ = std::move(columns);
    return csv;
}

void Csv::add_row(std::string place, std::vector<std::string> cells) {
    PLIMSOLL_ASSERT(cells.size() == columns_.size());
    places_.push_back(std::move(place));
    cells_.push_back(std::move(cells));
}

void Csv::append(const Csv& other) {
    if (other.columns_ != columns_)
        throw InputError(other.name_, "its columns are not those of " + name_ + ": " + joined(columns_));
    for (std::size_t row = 0; row < other.rows(); ++row) add_row(other.places_[row], other.cells_[row]);
}

bool Csv::has(std::string_view column) const {
    return std::find(columns_.begin(), columns_.end(), column) != columns_.end();
}

void Csv::require(const std::vector<std::string>& columns) const {
    std::vector<std::string> missing;
    for (const std::string& column : columns)
        if (!has(column)) missing.push_back(column);
    if (!missing.empty())
        throw InputError(name_ + ":1", "missing columns: " + joined(missing) + "; found: " + joined(columns_));
}

const std::string& Csv::text(std::size_t row, std::string_view column) const {
    const auto found = std::find(columns_.begin(), columns_.end(), column);
    if (found == columns_.end()) throw InputError(name_ + ":1", unknown_name("column", column, columns_));
    return cells_[row][static_cast<std::size_t>(found - columns_.begin())];
}

std::optional<double> Csv::number(std::size_t row, std::string_view column) const {
    if (!has(column) || text(row, column).empty()) return std::nullopt;
    return parse_number(text(row, column), place(row) + " " + std::string(column));
}

std::string Csv::place(std::size_t row) const {
    return places_[row];
}

}  // namespace plimsoll
