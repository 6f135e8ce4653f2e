#include <array>
#include <charconv>
#include <cstdio>

#include "model/base/error.hpp"
#include "model/base/fields.hpp"
#include "model/base/fields_node.hpp"
#include "model/base/text_file.hpp"

namespace plimsoll {

namespace detail {

using Kind = JsonValue::Kind;

const JsonHandle* JsonValue::find(std::string_view key) const {
    if (kind != Kind::object) return nullptr;
    for (const auto& member : members)
        if (member.first == key) return &member.second;
    return nullptr;
}

JsonHandle* JsonValue::find(std::string_view key) {
    return const_cast<JsonHandle*>(std::as_const(*this).find(key));
}

JsonHandle copy_json(const JsonValue& value) {
    auto copy = std::make_shared<JsonValue>(value);
    for (auto& member : copy->members) member.second = copy_json(*member.second);
    return copy;
}

std::string number_text(double number) {
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
    PLIMSOLL_ASSERT(error == std::errc{});
    return {text.data(), end};
}

std::string pointer_to(const std::string& pointer, std::string_view key) {
    std::string result = pointer + "/";
    for (const char c : key) {
        if (c == '~')
            result += "~0";
        else if (c == '/')
            result += "~1";
        else
            result += c;
    }
    return result;
}

std::string place_of(const std::string& file, const std::string& pointer) {
    constexpr std::size_t longest_shown = 200;
    if (pointer.empty()) return file;
    const std::string shown = in_quotes(pointer, longest_shown);
    return file + ": " + shown.substr(1, shown.size() - 2);
}

namespace {

void write_text(const std::string& text, std::string& out) {
    constexpr std::string_view hex = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20U) {
            out += "\\u00";
            out += hex[byte >> 4U];
            out += hex[byte & 0xFU];
        } else {
            out += c;
        }
    }
    out += '"';
}

void write(const JsonValue& value, int indent, int level, std::string& out);

void write_members(const JsonValue& value, int indent, int level, std::string& out) {
    const bool object = value.kind == Kind::object;
    const auto new_line = [&](int levels) {
        if (indent < 0) return;
        out += '\n';
        out.append(static_cast<std::size_t>(indent) * static_cast<std::size_t>(levels), ' ');
    };
    out += object ? '{' : '[';
    bool first = true;
    for (const auto& [key, member] : value.members) {
        if (!first) out += ',';
        first = false;
        new_line(level + 1);
        if (object) {
            write_text(key, out);
            out += indent < 0 ? ":" : ": ";
        }
        write(*member, indent, level + 1, out);
    }
    if (!first) new_line(level);
    out += object ? '}' : ']';
}

void write(const JsonValue& value, int indent, int level, std::string& out) {
    switch (value.kind) {
        case Kind::null:
            out += "null";
            return;
        case Kind::boolean:
            out += value.truth ? "true" : "false";
            return;
        case Kind::integer:
            out += std::to_string(value.whole);
            return;
        case Kind::number:
            out += number_text(value.number);
            return;
        case Kind::text:
            write_text(value.text, out);
            return;
        case Kind::list:
        case Kind::object:
            write_members(value, indent, level, out);
            return;
    }
}

/// Lays a copy of `overrides` over `base`, both objects.
void overlay(JsonValue& base, const JsonValue& overrides) {
    base.file = overrides.file;
    base.asked.insert(overrides.asked.begin(), overrides.asked.end());
    for (const auto& [key, value] : overrides.members) {
        JsonHandle* const old = base.find(key);
        if (old == nullptr)
            base.members.emplace_back(key, copy_json(*value));
        else if ((*old)->kind == Kind::object && value->kind == Kind::object)
            overlay(**old, *value);
        else
            *old = copy_json(*value);
    }
}

std::vector<std::string> steps_of(std::string_view path, const std::string& place) {
    std::vector<std::string> steps;
    for (std::size_t start = 0; start <= path.size();) {
        const std::size_t end = std::min(path.find('.', start), path.size());
        if (end == start) throw InputError(place, "the path " + in_quotes(path) + " has an empty step");
        steps.emplace_back(path.substr(start, end - start));
        start = end + 1;
    }
    if (steps.empty()) throw InputError(place, "the path '' has an empty step");
    if (steps.size() > most_levels) throw InputError(place, "the path goes more than 64 levels deep");
    return steps;
}

/// The place in the tree that a step leads to; an object gets the field where it has none (null handle).
JsonHandle& step_into(JsonValue& value, const std::string& step, std::string_view path, const std::string& place) {
    if (value.kind == Kind::object) {
        if (JsonHandle* const found = value.find(step)) return *found;
        return value.members.emplace_back(step, nullptr).second;
    }
    const std::string at = "the step " + in_quotes(step) + " of the path " + in_quotes(path);
    if (value.kind != Kind::list) throw InputError(place, at + " goes through a value that is no object or list");
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
    if (error != std::errc{} || end != step.data() + step.size())
        throw InputError(place, at + " goes through a list; expected the index of an entry, counted from 0");
    if (index >= value.members.size())
        throw InputError(place, at + " is beyond the list, which has " + std::to_string(value.members.size()) +
                                    (value.members.size() == 1 ? " entry" : " entries"));
    return value.members[index].second;
}

JsonHandle value_of(std::string_view text, const std::string& place) {
    try {
        return parse_json(text, place);
    } catch (const InputError&) {
        auto value = std::make_shared<JsonValue>();
        value->kind = Kind::text;
        value->text = text;
        value->file = std::make_shared<const std::string>(place);
        return value;
    }
}

}  // namespace

std::string write_json(const JsonValue& value, int indent) {
    std::string out;
    write(value, indent, 0, out);
    return out;
}

}  // namespace detail

using detail::JsonValue;

Fields Fields::from_file(const std::string& path) {
    return from_text(text_of_file(path, detail::most_bytes), path);
}

Fields Fields::from_text(std::string_view text, const std::string& name) {
    const detail::JsonHandle root = detail::parse_json(text, name);
    if (root->kind != JsonValue::Kind::object) throw InputError(name, "expected a JSON object at the top");
    return Fields(std::make_shared<Node>(Node{root, ""}));
}

Fields Fields::overlaid_with(const Fields& overrides) const {
    const detail::JsonHandle result = detail::copy_json(*node_->value);
    detail::overlay(*result, *overrides.node_->value);
    return Fields(std::make_shared<Node>(Node{result, overrides.node_->pointer}));
}

void Fields::set(std::string_view path, std::string_view value, const std::string& place) {
    const std::vector<std::string> steps = detail::steps_of(path, place);
    const detail::JsonHandle parsed = detail::value_of(value, place);
    JsonValue* current = node_->value.get();
    for (std::size_t i = 0; i < steps.size(); ++i) {
        detail::JsonHandle& next = detail::step_into(*current, steps[i], path, place);
        if (i + 1 == steps.size()) {
            next = parsed;
            return;
        }
        if (next == nullptr) {
            next = std::make_shared<JsonValue>();
            next->kind = JsonValue::Kind::object;
            next->file = parsed->file;
        }
        current = next.get();
    }
}

std::string Fields::json(std::string_view key) const {
    return detail::write_json(*node_->require(key), -1);
}

std::string Fields::dump(int indent) const {
    return detail::write_json(*node_->value, indent);
}

}  // namespace plimsoll
