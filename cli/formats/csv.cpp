#include <fmt/format.h>

#include "cli/format.hpp"

namespace plimsoll {
namespace {

/// RFC 4180: quoted where it holds a comma, a quote or a line break.
std::string field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == text.npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

std::string value(const Cell& cell) {
    if (const auto* number = std::get_if<double>(&cell.value)) return fmt::format("{}", *number);
    if (const auto* truth = std::get_if<bool>(&cell.value)) return *truth ? "true" : "false";
    return cell.known() ? field(to_text(cell)) : "";
}

bool has_changes(const Table& table, std::size_t column) {
    for (const Row& row : table.rows)
        if (row[column].change) return true;
    return false;
}

std::string write_table(const Table& table) {
    std::string head;
    std::vector<bool> changes;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        changes.push_back(has_changes(table, i));
        const std::string& key = table.columns[i].key;
        if (key.empty()) continue;
        head += (head.empty() ? "" : ",") + field(key) + (changes[i] ? ",change." + key : "");
    }
    std::string text = head + "\r\n";
    for (const Row& row : table.rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (table.columns[i].key.empty()) continue;
            line += "," + value(row[i]);
            if (changes[i]) line += "," + (row[i].change ? fmt::format("{}", *row[i].change) : "");
        }
        text += line.substr(1) + "\r\n";
    }
    return text;
}

/// The first table of the document, or its first facts as two columns, or its text.
std::string write(const Document& document, std::size_t) {
    for (const Item& item : document.items)
        if (const auto* table = std::get_if<Table>(&item); table && !table->key.empty()) return write_table(*table);
    for (const Item& item : document.items)
        if (const auto* facts = std::get_if<Facts>(&item)) {
            std::string text = "name,value\r\n";
            for (const auto& fact : facts->facts) text += field(fact.key) + "," + value(fact.cell) + "\r\n";
            return text;
        }
    for (const Item& item : document.items)
        if (const auto* verbatim = std::get_if<Verbatim>(&item)) return verbatim->text;
    return "";
}

}  // namespace

void register_csv(Registry<Format>& registry) {
    registry.add("csv",
                 {.summary = "the first table with all its columns, units in their names (RFC 4180)", .write = write});
}

}  // namespace plimsoll
