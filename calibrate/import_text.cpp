#include "calibrate/import_text.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

constexpr std::string_view white = " \t\r\n";

/// Whether the first line that holds something holds a whole object.
bool is_json_lines(std::string_view content) {
    const std::string_view first = trimmed(content.substr(0, content.find('\n')));
    return first.starts_with('{') && first.ends_with('}');
}

}  // namespace

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t from = text.find_first_not_of(white);
    if (from == std::string_view::npos) return {};
    return text.substr(from, text.find_last_not_of(white) - from + 1);
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (line = trimmed(line); !line.empty(); line = trimmed(line)) {
        words.push_back(line.substr(0, line.find_first_of(white)));
        line.remove_prefix(words.back().size());
    }
    return words;
}

std::vector<std::string> markdown_cells(std::string_view line) {
    line = trimmed(line);
    if (!line.starts_with('|')) return {};
    line.remove_prefix(1);
    if (line.ends_with('|')) line.remove_suffix(1);
    std::vector<std::string> cells;
    for (bool more = true; more;) {
        const std::size_t end = line.find('|');
        more = end != std::string_view::npos;
        cells.emplace_back(trimmed(line.substr(0, end)));
        if (more) line.remove_prefix(end + 1);
    }
    return cells;
}

bool is_markdown_rule(const std::vector<std::string>& cells) {
    return !cells.empty() && std::all_of(cells.begin(), cells.end(), [](const std::string& cell) {
        return !cell.empty() && cell.find_first_not_of("-: ") == std::string::npos;
    });
}

std::vector<Fields> json_objects(const MeasuredText& text) {
    const std::string_view content = trimmed(text.text);
    std::vector<Fields> objects;
    if (content.starts_with('[')) {
        // The reader takes an object at the top; places say which row it is.
        objects = Fields::from_text("{\"rows\":" + std::string(content) + "}", text.name).objects("rows");
    } else if (is_json_lines(content)) {
        const std::vector<std::string_view> lines = lines_of(text.text);
        for (std::size_t i = 0; i < lines.size(); ++i)
            if (!trimmed(lines[i]).empty())
                objects.push_back(Fields::from_text(lines[i], fmt::format("{}:{}", text.name, i + 1)));
    } else {
        objects.push_back(Fields::from_text(text.text, text.name));
    }
    if (objects.empty()) throw InputError(text.name, "the list is empty");
    return objects;
}

double positive_number(const Fields& fields, std::string_view key, double most) {
    const double value = fields.number(key, {0.0, most});
    if (value <= 0.0) fields.fail(key, "must be above zero");
    return value;
}

std::string given_or(const GivenColumns& given, const std::string& column, const std::optional<std::string>& said,
                     const std::string& place) {
    if (const auto found = given.find(column); found != given.end()) return found->second;
    if (!said)
        throw InputError(place, fmt::format("the file does not say the {0}: give it by --column {0}=VALUE", column));
    return *said;
}

std::string number_text(double value) {
    return fmt::format("{}", value);
}

}  // namespace plimsoll
