#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/base/interval.hpp"
#include "model/base/units.hpp"

namespace plimsoll {

/// What a cell holds, and so how people read it. Machines get the number in coherent units, money by the hour.
enum class Kind {
    text,
    texts,
    flag,
    count,
    number,
    seconds,
    bytes,
    bytes_per_second,
    flop,
    flop_per_second,
    watts,
    dollars,
    dollars_per_hour,
    fraction,
    change  ///< a fraction with its sign
};

/// One value of a table or a list of facts; unknown where it holds nothing.
struct Cell {
    Kind kind = Kind::text;
    std::variant<std::monostate, bool, double, std::string, std::vector<std::string>> value;
    std::optional<double> change;      ///< against a baseline, as a fraction
    std::optional<Interval> interval;  ///< of a number, for people: "53 (41-67)"; machines get columns of their own

    Cell() = default;
    Cell(std::string text) : value(std::move(text)) {}
    Cell(std::string_view text) : value(std::string(text)) {}
    Cell(const char* text) : value(std::string(text)) {}
    Cell(std::vector<std::string> texts) : kind(Kind::texts), value(std::move(texts)) {}
    Cell(Seconds v) : Cell(Kind::seconds, v.value()) {}
    Cell(Bytes v) : Cell(Kind::bytes, v.value()) {}
    Cell(BytesPerSecond v) : Cell(Kind::bytes_per_second, v.value()) {}
    Cell(Flop v) : Cell(Kind::flop, v.value()) {}
    Cell(FlopPerSecond v) : Cell(Kind::flop_per_second, v.value()) {}
    Cell(Watts v) : Cell(Kind::watts, v.value()) {}
    Cell(Dollars v) : Cell(Kind::dollars, v.value()) {}
    Cell(DollarsPerSecond v) : Cell(Kind::dollars_per_hour, v.value() * 3600.0) {}
    /// A number that is not finite counts as unknown.
    Cell(Kind number_kind, double number);
    template <class T>
    Cell(const std::optional<T>& maybe) : Cell(maybe ? Cell(*maybe) : Cell()) {}

    [[nodiscard]] static Cell count(double n) { return {Kind::count, n}; }
    [[nodiscard]] static Cell number(double n) { return {Kind::number, n}; }
    [[nodiscard]] static Cell fraction(double n) { return {Kind::fraction, n}; }
    [[nodiscard]] static Cell flag(bool truth);
    [[nodiscard]] bool known() const { return value.index() != 0; }
    [[nodiscard]] bool is_number() const { return std::holds_alternative<double>(value); }
};

/// One column of a table. A column without a key is for people only, one without a title for machines only.
struct Column {
    std::string key;    ///< dotted path of the value in the JSON object of a row; ends in the unit
    std::string title;  ///< words that may stand on several lines
    int priority = 0;   ///< dropped where there is no room, the highest first; 0 never
    bool wrap = false;
    std::string unit = {};  ///< "s", "ms", "kW", "USD/h": cells are numbers in this unit, which the title then names
    bool heading = false;   ///< on a terminal: a line before the rows that have the value, instead of a column
};

using Row = std::vector<Cell>;

/// Rows of typed cells; in JSON a list of objects.
struct Table {
    std::string key;
    std::string title;
    std::vector<Column> columns;
    std::vector<Row> rows;
    bool shown = true;  ///< to people
};

/// Named values; in JSON an object (or members of the document for an empty key).
struct Facts {
    struct Fact {
        std::string key;
        std::string title;
        Cell cell;
    };
    std::string key;
    std::string title;
    std::vector<Fact> facts;
};

/// Sentences for people; `key` gives them to machines too.
struct Paragraph {
    std::string text;
    std::string key = {};
    bool shown = true;
};

/// Short statements, one a line; in JSON a list of texts.
struct Bullets {
    std::string key;
    std::string title;
    std::vector<std::string> lines;
    bool shown = true;
};

/// JSON text that only the JSON format prints.
struct RawJson {
    std::string key;
    std::string text;
};

/// Text that people get as it stands.
struct Verbatim {
    std::string key;
    std::string text;
};

using Item = std::variant<Paragraph, Bullets, Facts, Table, RawJson, Verbatim>;

/// What a command answers, before any format.
struct Document {
    std::vector<Item> items;
    std::vector<std::string> errors;  ///< for stderr, one message a line
    int exit_code = 0;
};

/// A number for people: three significant digits, whole and with commas from 1000 on.
[[nodiscard]] std::string plain_number(double number);
/// The cell for people, "-" where unknown. With a unit (see Column) the bare number in it.
[[nodiscard]] std::string to_text(const Cell& cell, std::string_view unit = {});
/// "1 node", "1,200 nodes".
[[nodiscard]] std::string plural(double count, std::string_view noun);
/// "+12 %", "-3.4 %".
[[nodiscard]] std::string change_text(double fraction);
/// The name of a table's column with its unit.
[[nodiscard]] std::string title_of(const Column& column);

}  // namespace plimsoll
