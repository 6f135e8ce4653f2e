#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/base/fields.hpp"

/// The tree behind `Fields`; only fields*.cpp include this.
namespace plimsoll::detail {

struct JsonValue;
using JsonHandle = std::shared_ptr<JsonValue>;

/// One JSON value with the file (or option) that it came from.
struct JsonValue {
    enum class Kind { null, boolean, integer, number, text, list, object };

    Kind kind = Kind::null;
    bool truth = false;
    std::int64_t whole = 0;
    /// Set for `integer` too.
    double number = 0.0;
    std::string text;
    /// The fields of an object in order of appearance; the entries of a list, with empty keys.
    std::vector<std::pair<std::string, JsonHandle>> members;
    /// The keys of an object that a reader has asked for.
    std::set<std::string, std::less<>> asked;
    std::shared_ptr<const std::string> file;

    /// The field of that key, or null.
    [[nodiscard]] const JsonHandle* find(std::string_view key) const;
    [[nodiscard]] JsonHandle* find(std::string_view key);
};

constexpr std::size_t most_levels = 64;
constexpr std::size_t most_bytes = std::size_t{16} << 20U;

/// Reads any JSON value under the rules of `Fields::from_text`; throws InputError.
[[nodiscard]] JsonHandle parse_json(std::string_view text, const std::string& name);
/// A tree of its own with the same places and records.
[[nodiscard]] JsonHandle copy_json(const JsonValue& value);
/// JSON text; indent < 0 gives one line.
[[nodiscard]] std::string write_json(const JsonValue& value, int indent);
/// The shortest decimal text that reads back as the same double.
[[nodiscard]] std::string number_text(double number);
/// The pointer with one more step, `~` and `/` in it escaped (RFC 6901).
[[nodiscard]] std::string pointer_to(const std::string& pointer, std::string_view key);
/// "file: /pointer", or "file" for the root; control characters are shown as '?', a long pointer is cut.
[[nodiscard]] std::string place_of(const std::string& file, const std::string& pointer);

}  // namespace plimsoll::detail

namespace plimsoll {

/// What a `Fields` holds: an object and its JSON pointer.
struct Fields::Node {
    detail::JsonHandle value;
    std::string pointer;

    [[nodiscard]] std::string place(std::string_view key) const;
    /// The value of a key, which counts as asked for; null when absent.
    [[nodiscard]] const detail::JsonHandle* ask(std::string_view key) const;
    /// The same; throws InputError when absent.
    [[nodiscard]] const detail::JsonHandle& require(std::string_view key) const;
    /// The object at a key, as a reader of its own.
    [[nodiscard]] Fields reader(const detail::JsonHandle& object, std::string child_pointer) const;
};

}  // namespace plimsoll
