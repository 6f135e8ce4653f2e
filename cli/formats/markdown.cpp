#include "cli/format.hpp"

namespace plimsoll {
namespace {

std::string escaped(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '|' || c == '*' || c == '_' || c == '<' || c == '`') result += '\\';
        result += c == '\n' ? ' ' : c;
    }
    return result;
}

std::string cell_text(const Cell& cell, const Column& column) {
    std::string text = to_text(cell, column.unit);
    if (cell.change) text += " (" + change_text(*cell.change) + ")";
    return escaped(text);
}

/// Pipe tables with every column that has a title.
struct MarkdownWriter {
    std::string text = {};

    void begin(const std::string& title) {
        if (!text.empty()) text += "\n";
        if (!title.empty()) text += "## " + escaped(title) + "\n\n";
    }
    void operator()(const Paragraph& paragraph) {
        if (!paragraph.shown || paragraph.text.empty()) return;
        begin("");
        text += escaped(paragraph.text) + "\n";
    }
    void operator()(const Bullets& bullets) {
        if (!bullets.shown || bullets.lines.empty()) return;
        begin(bullets.title);
        for (const std::string& line : bullets.lines) text += "- " + escaped(line) + "\n";
    }
    void operator()(const Facts& facts) {
        std::string body;
        for (const auto& fact : facts.facts)
            if (!fact.title.empty()) body += "| " + escaped(fact.title) + " | " + escaped(to_text(fact.cell)) + " |\n";
        if (body.empty()) return;
        begin(facts.title);
        text += "| | |\n|---|---|\n" + body;
    }
    void operator()(const Table& table) {
        if (!table.shown || table.rows.empty()) return;
        begin(table.title);
        std::string head = "|", rule = "|";
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
            if (table.columns[i].title.empty()) continue;
            head += " " + escaped(title_of(table.columns[i])) + " |";
            rule += table.rows.front()[i].is_number() ? "---:|" : "---|";
        }
        text += head + "\n" + rule + "\n";
        for (const Row& row : table.rows) {
            text += "|";
            for (std::size_t i = 0; i < row.size(); ++i)
                if (!table.columns[i].title.empty()) text += " " + cell_text(row[i], table.columns[i]) + " |";
            text += "\n";
        }
    }
    void operator()(const RawJson&) {}
    void operator()(const Verbatim& verbatim) {
        begin("");
        text += "```\n" + verbatim.text + (verbatim.text.ends_with('\n') ? "" : "\n") + "```\n";
    }
};

}  // namespace

void register_markdown(Registry<Format>& registry) {
    registry.add("markdown", {.summary = "pipe tables with all columns, for a report or an issue",
                              .write = [](const Document& document, std::size_t) {
                                  MarkdownWriter writer;
                                  for (const Item& item : document.items) std::visit(writer, item);
                                  return writer.text;
                              }});
}

}  // namespace plimsoll
