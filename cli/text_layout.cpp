#include "cli/text_layout.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cli/words.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t longest_unbroken_word = 24;
// A text gets the width that keeps it to about so many lines, up to this width; less important columns make room.
constexpr std::size_t most_lines = 4, widest_forced = 40;
// Names are broken only where so large a share of their column would stay whole, if less important columns can make
// room for that.
constexpr double whole_share = 0.9;

using Lines = std::vector<std::string>;

Lines split_lines(const std::string& text) {
    Lines lines;
    std::size_t from = 0;
    for (std::size_t to = text.find('\n'); to != text.npos; to = text.find('\n', from)) {
        lines.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    lines.push_back(text.substr(from));
    return lines;
}

std::size_t widest(const Lines& lines) {
    std::size_t most = 0;
    for (const std::string& line : lines) most = std::max(most, display_width(line));
    return most;
}

std::string padded(const std::string& text, std::size_t width, bool right) {
    const std::size_t used = display_width(text);
    const std::string blanks(used < width ? width - used : 0, ' ');
    return right ? blanks + text : text + blanks;
}

/// One column while its width is being found.
struct Laid {
    const Column* column;
    std::size_t index;
    std::vector<std::string> cells;
    bool right = true;
    std::size_t least = 0, comfortable = 0, natural = 0, titled = 0, width = 0;
};

std::string cell_text(const Cell& cell, const Column& column) {
    std::string text = to_text(cell, column.unit);
    if (cell.change) text += "\n" + change_text(*cell.change);
    return text;
}

/// The width in which most names of a column, that is cells without blanks, stay whole.
std::size_t width_of_names(const std::vector<std::string>& cells) {
    std::vector<std::size_t> widths;
    for (const std::string& cell : cells)
        if (cell.find_first_of(" \n") == cell.npos) widths.push_back(display_width(cell));
    if (widths.empty()) return 0;
    std::sort(widths.begin(), widths.end());
    const double rank = std::ceil(whole_share * static_cast<double>(widths.size()));
    return widths[static_cast<std::size_t>(rank) - 1];
}

std::vector<Laid> shown_columns(const Table& table) {
    std::vector<Laid> columns;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const Column& column = table.columns[i];
        const bool any =
            std::any_of(table.rows.begin(), table.rows.end(), [&](const Row& row) { return row[i].known(); });
        if (column.title.empty() || column.heading || (!any && column.priority > 0)) continue;
        Laid laid{&column, i, {}};
        for (const Row& row : table.rows) {
            laid.cells.push_back(cell_text(row[i], column));
            laid.right = laid.right && (row[i].is_number() || !row[i].known());
            laid.natural = std::max(laid.natural, widest(split_lines(laid.cells.back())));
            const std::size_t unbroken = std::min(longest_part(laid.cells.back()), longest_unbroken_word);
            laid.least = std::max(laid.least, column.wrap ? unbroken : laid.natural);
        }
        if (column.wrap) laid.least = std::max(laid.least, std::min(laid.natural / most_lines, widest_forced));
        const std::string title = title_of(column);
        laid.least = std::max(laid.least, column.wrap ? longest_part(title) : longest_word(title));
        laid.natural = std::max(laid.natural, laid.least);
        laid.comfortable = std::max(laid.least, column.wrap ? width_of_names(laid.cells) : 0);
        laid.titled = std::max(laid.natural, display_width(title));
        columns.push_back(std::move(laid));
    }
    return columns;
}

std::size_t least_width(const std::vector<Laid>& columns) {
    const std::size_t cells = std::accumulate(columns.begin(), columns.end(), std::size_t{0},
                                              [](std::size_t sum, const Laid& c) { return sum + c.least; });
    return columns.empty() ? 0 : cells + gap * (columns.size() - 1);
}

/// Drops the least important columns until the rest fits, where it can.
void drop_columns(std::vector<Laid>& columns, std::size_t width, Lines& dropped) {
    while (least_width(columns) > width) {
        auto last = columns.begin();
        for (auto c = columns.begin(); c != columns.end(); ++c)
            if (c->column->priority >= last->column->priority) last = c;
        if (last->column->priority == 0) return;
        dropped.insert(dropped.begin(), last->column->title);
        columns.erase(last);
    }
}

/// Gives what room is left first to the texts, then to the titles.
void spread(std::vector<Laid>& columns, std::size_t width) {
    std::size_t room = width - least_width(columns);
    for (Laid& c : columns) c.width = c.least;
    for (const auto want : {&Laid::natural, &Laid::titled})
        for (bool grown = true; grown && room > 0;) {
            grown = false;
            for (Laid& c : columns)
                if (room > 0 && c.width < c.*want) ++c.width, --room, grown = true;
        }
}

void add_line(std::string& text, const std::vector<Laid>& columns, const std::vector<Lines>& cells, std::size_t line) {
    std::string built;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (i > 0) built.append(gap, ' ');
        built += padded(line < cells[i].size() ? cells[i][line] : "", columns[i].width, columns[i].right);
    }
    built.erase(built.find_last_not_of(' ') + 1);
    text += built + "\n";
}

void add_row(std::string& text, const std::vector<Laid>& columns, const std::vector<Lines>& cells) {
    std::size_t height = 0;
    for (const Lines& lines : cells) height = std::max(height, lines.size());
    for (std::size_t line = 0; line < height; ++line) add_line(text, columns, cells, line);
}

Lines wrapped(const std::string& text, std::size_t width) {
    Lines lines;
    for (const std::string& line : split_lines(text))
        for (std::string& part : wrap(line, width)) lines.push_back(std::move(part));
    return lines;
}

void add_head(std::string& text, const std::vector<Laid>& columns) {
    std::vector<Lines> titles, rules;
    std::size_t height = 0;
    for (const Laid& c : columns) {
        titles.push_back(wrap(title_of(*c.column), c.width));
        rules.push_back({std::string(c.width, '-')});
        height = std::max(height, titles.back().size());
    }
    for (Lines& lines : titles) lines.insert(lines.begin(), height - lines.size(), "");
    add_row(text, columns, titles);
    add_row(text, columns, rules);
}

std::string on_one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

/// "operator gemm, GPU a100-80gb-sxm" for each row; empty where no column is a heading.
Lines headings(const Table& table) {
    Lines texts;
    for (const Row& row : table.rows) {
        std::string text;
        for (std::size_t i = 0; i < row.size(); ++i)
            if (const Column& column = table.columns[i]; column.heading && !column.title.empty() && row[i].known())
                text += (text.empty() ? "" : ", ") + title_of(column) + " " + to_text(row[i], column.unit);
        texts.push_back(std::move(text));
    }
    return texts;
}

/// The heading of a row that is the first to have it.
void add_heading(std::string& text, const Lines& headings, std::size_t row, std::size_t width) {
    if (headings[row].empty() || (row > 0 && headings[row] == headings[row - 1])) return;
    if (row > 0) text += "\n";
    for (const std::string& line : wrap(headings[row] + ":", width)) text += line + "\n";
}

/// For rooms too narrow for any table: one value a line.
std::string layout_records(const std::vector<Laid>& columns, const Lines& headings, std::size_t width) {
    std::string text;
    const std::size_t rows = headings.size();
    for (std::size_t row = 0; row < rows; ++row) {
        if (!headings[row].empty())
            for (const std::string& line : wrap(headings[row] + ":", width)) text += line + "\n";
        for (const Laid& c : columns)
            for (const std::string& line : wrap(title_of(*c.column) + ": " + on_one_line(c.cells[row]), width))
                text += line + "\n";
        if (row + 1 < rows) text += "\n";
    }
    return text;
}

}  // namespace

std::string layout_table(const Table& table, std::size_t width, std::vector<std::string>& dropped) {
    std::vector<Laid> columns = shown_columns(table);
    Lines without;
    for (Laid& c : columns) std::swap(c.least, c.comfortable);
    drop_columns(columns, width, without);
    if (least_width(columns) > width) {
        columns = shown_columns(table);
        without.clear();
        drop_columns(columns, width, without);
    }
    if (least_width(columns) > width) return layout_records(shown_columns(table), headings(table), width);
    for (auto title = without.rbegin(); title != without.rend(); ++title)
        if (std::find(dropped.begin(), dropped.end(), *title) == dropped.end()) dropped.insert(dropped.begin(), *title);
    spread(columns, width);
    std::string text;
    add_head(text, columns);
    const Lines before = headings(table);
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        add_heading(text, before, row, width);
        std::vector<Lines> cells;
        cells.reserve(columns.size());
        for (const Laid& c : columns) cells.push_back(wrapped(c.cells[row], c.width));
        add_row(text, columns, cells);
    }
    return text;
}

std::string layout_facts(const Facts& facts, std::size_t width) {
    std::size_t titles = 0;
    for (const auto& fact : facts.facts) titles = std::max(titles, display_width(fact.title));
    const std::size_t room = width > titles + gap + 12 ? width - titles - gap : 12;
    std::string text;
    for (const auto& fact : facts.facts) {
        if (fact.title.empty()) continue;
        const Lines lines = wrapped(to_text(fact.cell), room);
        for (std::size_t i = 0; i < lines.size(); ++i)
            text += padded(i == 0 ? fact.title : "", titles + gap, false) + lines[i] + "\n";
    }
    return text;
}

}  // namespace plimsoll
