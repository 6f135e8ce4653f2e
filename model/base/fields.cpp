#include "model/base/fields.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "model/base/fields_node.hpp"
#include "model/base/limit_text.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {

using detail::JsonHandle;
using detail::JsonValue;
using detail::number_text;
using Kind = JsonValue::Kind;

namespace {

/// Range ends beyond this stand for "no limit".
constexpr double no_limit = 1e30;
constexpr double largest_exact = 9007199254740992.0;  // 2^53

std::string described(const JsonValue& value) {
    switch (value.kind) {
        case Kind::null:
            return "null";
        case Kind::boolean:
            return value.truth ? "true" : "false";
        case Kind::integer:
            return std::to_string(value.whole);
        case Kind::number:
            return number_text(value.number);
        case Kind::text:
            return in_quotes(value.text);
        case Kind::list:
            return "a list";
        case Kind::object:
            return "an object";
    }
    PLIMSOLL_ASSERT(false && "a JSON value outside its kinds");
}

[[noreturn]] void refuse(const JsonValue& value, const std::string& pointer, const std::string& expected) {
    throw InputError(detail::place_of(*value.file, pointer), "expected " + expected + ", got " + described(value));
}

std::string in_range(Range range, const std::string& unit) {
    if (range.most >= no_limit && range.least <= -no_limit) return "";
    if (range.most >= no_limit) return " of at least " + limit_text(range.least) + unit;
    if (range.least <= -no_limit) return " of at most " + limit_text(range.most) + unit;
    return " from " + limit_text(range.least) + unit + " to " + limit_text(range.most) + unit;
}

bool contains(Range range, double number) {
    return number >= range.least && number <= range.most;
}

std::string text_of(const JsonValue& value, const std::string& pointer) {
    if (value.kind != Kind::text) refuse(value, pointer, "a text");
    if (value.text.empty()) throw InputError(detail::place_of(*value.file, pointer), "the text must not be empty");
    return value.text;
}

std::int64_t whole_of(const JsonValue& value, const std::string& pointer, Range range) {
    const std::string expected = "a whole number" + in_range(range, "");
    const bool whole =
        value.kind == Kind::integer || (value.kind == Kind::number && std::fabs(value.number) <= largest_exact &&
                                        std::trunc(value.number) == value.number);
    if (!whole || !contains(range, value.number)) refuse(value, pointer, expected);
    return value.kind == Kind::integer ? value.whole : static_cast<std::int64_t>(value.number);
}

double number_of(const JsonValue& value, const std::string& pointer, Range range) {
    const bool is_number = value.kind == Kind::number || value.kind == Kind::integer;
    if (!(is_number && contains(range, value.number))) refuse(value, pointer, "a number" + in_range(range, ""));
    return value.number;
}

/// Calls `read(entry, pointer of the entry)` for each entry of a list, or once for a value that is no list.
template <class Result, class Read>
std::vector<Result> read_each(const JsonValue& value, const std::string& pointer, Read read) {
    std::vector<Result> result;
    if (value.kind != Kind::list) {
        result.push_back(read(value, pointer));
        return result;
    }
    for (std::size_t i = 0; i < value.members.size(); ++i)
        result.push_back(read(*value.members[i].second, detail::pointer_to(pointer, std::to_string(i))));
    return result;
}

}  // namespace

std::string Fields::Node::place(std::string_view key) const {
    if (key.empty()) return detail::place_of(*value->file, pointer);
    const JsonHandle* const field = value->find(key);
    return detail::place_of(field == nullptr ? *value->file : *(*field)->file, detail::pointer_to(pointer, key));
}

const JsonHandle* Fields::Node::ask(std::string_view key) const {
    if (value->asked.find(key) == value->asked.end()) value->asked.emplace(key);
    return value->find(key);
}

const JsonHandle& Fields::Node::require(std::string_view key) const {
    const JsonHandle* const field = ask(key);
    if (field == nullptr) throw InputError(place({}), "the field " + in_quotes(key) + " is missing");
    return *field;
}

Fields Fields::Node::reader(const JsonHandle& object, std::string child_pointer) const {
    if (object->kind != Kind::object) refuse(*object, child_pointer, "an object");
    return Fields(std::make_shared<Node>(Node{object, std::move(child_pointer)}));
}

bool Fields::has(std::string_view key) const {
    return node_->ask(key) != nullptr;
}

std::vector<std::string> Fields::keys() const {
    std::vector<std::string> result;
    for (const auto& member : node_->value->members) result.push_back(member.first);
    return result;
}

std::string Fields::string(std::string_view key) const {
    return text_of(*node_->require(key), detail::pointer_to(node_->pointer, key));
}

std::string Fields::string_or(std::string_view key, std::string_view fallback) const {
    return has(key) ? string(key) : std::string(fallback);
}

std::vector<std::string> Fields::strings(std::string_view key) const {
    const JsonValue& value = *node_->require(key);
    const std::string pointer = detail::pointer_to(node_->pointer, key);
    if (value.kind != Kind::list && value.kind != Kind::text) refuse(value, pointer, "a text or a list of texts");
    return read_each<std::string>(value, pointer, text_of);
}

std::size_t Fields::choice(std::string_view key, const std::vector<std::string>& known) const {
    const std::string name = string(key);
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) fail(key, unknown_name(key, name, known));
    return static_cast<std::size_t>(found - known.begin());
}

bool Fields::boolean(std::string_view key) const {
    const JsonValue& value = *node_->require(key);
    if (value.kind != Kind::boolean) refuse(value, detail::pointer_to(node_->pointer, key), "true or false");
    return value.truth;
}

bool Fields::boolean_or(std::string_view key, bool fallback) const {
    return has(key) ? boolean(key) : fallback;
}

double Fields::number(std::string_view key, Range range) const {
    return number_of(*node_->require(key), detail::pointer_to(node_->pointer, key), range);
}

double Fields::number_or(std::string_view key, double fallback, Range range) const {
    return has(key) ? number(key, range) : fallback;
}

std::vector<double> Fields::numbers(std::string_view key, Range range) const {
    const auto read = [range](const JsonValue& value, const std::string& pointer) {
        return number_of(value, pointer, range);
    };
    return read_each<double>(*node_->require(key), detail::pointer_to(node_->pointer, key), read);
}

std::int64_t Fields::integer(std::string_view key, Range range) const {
    return whole_of(*node_->require(key), detail::pointer_to(node_->pointer, key), range);
}

std::int64_t Fields::integer_or(std::string_view key, std::int64_t fallback, Range range) const {
    return has(key) ? integer(key, range) : fallback;
}

std::vector<std::int64_t> Fields::integers(std::string_view key, Range range) const {
    const auto read = [range](const JsonValue& value, const std::string& pointer) {
        return whole_of(value, pointer, range);
    };
    return read_each<std::int64_t>(*node_->require(key), detail::pointer_to(node_->pointer, key), read);
}

std::vector<std::vector<std::int64_t>> Fields::integer_lists(std::string_view key, Range range) const {
    const auto read = [range](const JsonValue& list, const std::string& pointer) {
        const auto read_inner = [range](const JsonValue& value, const std::string& inner) {
            return whole_of(value, inner, range);
        };
        return read_each<std::int64_t>(list, pointer, read_inner);
    };
    return read_each<std::vector<std::int64_t>>(*node_->require(key), detail::pointer_to(node_->pointer, key), read);
}

template <class Q>
Q Fields::quantity(std::string_view key, Range range) const {
    const JsonValue& value = *node_->require(key);
    const DimensionWords& words = dimension_words<Q>();
    const std::string example = " such as '" + std::string(words.example) + "'";
    if (is_number(key))
        fail(key, "the number " + described(value) + " needs a unit; expected " + words.with_article() + example +
                      "; " + words.known_units());
    if (value.kind != Kind::text) fail(key, "expected " + words.with_article() + example + ", got " + described(value));
    const Q result = parse_quantity<Q>(string(key), place(key));
    if (!contains(range, result.value()))
        fail(key, "expected " + words.with_article() + in_range(range, " " + std::string(words.coherent_unit)) +
                      ", got " + described(value));
    return result;
}

template Seconds Fields::quantity<Seconds>(std::string_view, Range) const;
template PerSecond Fields::quantity<PerSecond>(std::string_view, Range) const;
template Bytes Fields::quantity<Bytes>(std::string_view, Range) const;
template BytesPerSecond Fields::quantity<BytesPerSecond>(std::string_view, Range) const;
template Flop Fields::quantity<Flop>(std::string_view, Range) const;
template FlopPerSecond Fields::quantity<FlopPerSecond>(std::string_view, Range) const;
template Joules Fields::quantity<Joules>(std::string_view, Range) const;
template Watts Fields::quantity<Watts>(std::string_view, Range) const;
template Dollars Fields::quantity<Dollars>(std::string_view, Range) const;
template DollarsPerSecond Fields::quantity<DollarsPerSecond>(std::string_view, Range) const;
template DollarsPerJoule Fields::quantity<DollarsPerJoule>(std::string_view, Range) const;

Fields Fields::object(std::string_view key) const {
    return node_->reader(node_->require(key), detail::pointer_to(node_->pointer, key));
}

Fields Fields::object_or_empty(std::string_view key) const {
    if (has(key)) return object(key);
    auto empty = std::make_shared<JsonValue>();
    empty->kind = Kind::object;
    empty->file = node_->value->file;
    return node_->reader(empty, detail::pointer_to(node_->pointer, key));
}

std::vector<Fields> Fields::objects(std::string_view key) const {
    const JsonValue& value = *node_->require(key);
    const std::string pointer = detail::pointer_to(node_->pointer, key);
    if (value.kind != Kind::list) refuse(value, pointer, "a list of objects");
    std::vector<Fields> result;
    for (std::size_t i = 0; i < value.members.size(); ++i)
        result.push_back(node_->reader(value.members[i].second, detail::pointer_to(pointer, std::to_string(i))));
    return result;
}

bool Fields::is_string(std::string_view key) const {
    const JsonHandle* const field = node_->ask(key);
    return field != nullptr && (*field)->kind == Kind::text;
}

bool Fields::is_number(std::string_view key) const {
    const JsonHandle* const field = node_->ask(key);
    return field != nullptr && ((*field)->kind == Kind::number || (*field)->kind == Kind::integer);
}

bool Fields::is_object(std::string_view key) const {
    const JsonHandle* const field = node_->ask(key);
    return field != nullptr && (*field)->kind == Kind::object;
}

bool Fields::is_null(std::string_view key) const {
    const JsonHandle* const field = node_->ask(key);
    return field != nullptr && (*field)->kind == Kind::null;
}

void Fields::finish() const {
    const JsonValue& object = *node_->value;
    for (const auto& member : object.members)
        if (object.asked.count(member.first) == 0)
            // The object's pointer, but the file (or option) that the field came from.
            throw InputError(detail::place_of(*member.second->file, node_->pointer),
                             unknown_name("field", member.first, {object.asked.begin(), object.asked.end()}));
}

void Fields::fail(std::string_view key, const std::string& message) const {
    throw InputError(place(key), message);
}

std::string Fields::place(std::string_view key) const {
    return node_->place(key);
}

}  // namespace plimsoll
