#include "model/spec/sources.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "model/base/error.hpp"

namespace plimsoll {

Sources::Sources(const Fields& entry) : place_(entry.place("sources")) {
    const Fields fields = entry.object("sources");
    for (const std::string& key : fields.keys()) {
        texts_[key] = fields.string(key);
        static_cast<void>(origin_of(texts_[key], fields.place(key)));
    }
}

const std::string* Sources::find(const std::map<std::string, std::string>& texts, std::string_view path) {
    for (std::string_view part = path;;) {
        if (const auto found = texts.find(std::string(part)); found != texts.end()) return &found->second;
        const std::size_t dot = part.rfind('.');
        if (dot == std::string_view::npos) break;
        part = part.substr(0, dot);
    }
    const auto found = texts.find("*");
    return found == texts.end() ? nullptr : &found->second;
}

const std::string& Sources::text(std::string_view path) const {
    if (const std::string* found = find(texts_, path)) return *found;
    throw InputError(place_, "no source for '" + std::string(path) + "': name it, a beginning of it, or '*'");
}

Origin Sources::origin(std::string_view path) const {
    return origin_of(text(path), place_);
}

namespace detail {

std::pair<std::string, std::optional<std::string>> split_deviation(const std::string& text) {
    const std::size_t at = text.find("+-");
    if (at == std::string::npos) return {text, std::nullopt};
    std::string value = text.substr(0, at);
    std::string deviation = text.substr(at + 2);
    while (!value.empty() && value.back() == ' ') value.pop_back();
    deviation.erase(0, std::min(deviation.find_first_not_of(' '), deviation.size()));
    return {std::move(value), std::move(deviation)};
}

void check_range(double value, double deviation, Range range, const Fields& fields, std::string_view key) {
    if (value < range.least || value > range.most) fields.fail(key, "outside the range that makes sense");
    if (deviation < 0) fields.fail(key, "a standard deviation below zero");
}

}  // namespace detail

Sourced<double> sourced_number(const Fields& fields, std::string_view key, Range range, const Sources& sources,
                               std::string_view path) {
    Sourced<double> result;
    if (fields.is_number(key)) {
        result.value = fields.number(key, range);
    } else {
        const auto [value, deviation] = detail::split_deviation(fields.string(key));
        result.value = parse_number(value, fields.place(key));
        if (deviation) result.standard_deviation = parse_number(*deviation, fields.place(key));
        detail::check_range(result.value, result.standard_deviation, range, fields, key);
    }
    result.origin = sources.origin(path);
    return result;
}

EntryHead read_head(const Fields& fields, std::string_view kind) {
    const std::string schema = "plimsoll/" + std::string(kind) + "/1";
    if (const std::string found = fields.string("schema"); found != schema)
        fields.fail("schema", "expected '" + schema + "', got '" + found + "'");
    EntryHead head;
    head.name = fields.string("name");
    const auto legal = [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '.' || c == '-'; };
    if (!std::all_of(head.name.begin(), head.name.end(), legal))
        fields.fail("name", "a name is made of lower case letters, digits, '.' and '-'");
    if (fields.has("aliases")) head.aliases = fields.strings("aliases");
    return head;
}

}  // namespace plimsoll
