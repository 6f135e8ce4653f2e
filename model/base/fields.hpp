#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/base/units.hpp"

namespace plimsoll {

/// The plain numbers that a field may take; both ends belong to the range.
struct Range {
    double least;
    double most;
};

/// A strict reader of one JSON object. Every access names its key; `finish()` refuses what nobody asked for.
/// All failures are InputErrors placed "file: /json/pointer". A copy shares the record of what was asked for.
class Fields {
  public:
    /// Reads a file: UTF-8, one object, no duplicate keys, at most 64 levels deep, at most 16 MiB.
    /// Throws EnvironmentError when it cannot be read and InputError ("file:line:column") when it is not such JSON.
    static Fields from_file(const std::string& path);
    /// The same from memory; `name` stands for the file in messages.
    static Fields from_text(std::string_view text, const std::string& name);

    /// Whether the field is there; counts as asking for it, as every other access does (but not `keys`).
    [[nodiscard]] bool has(std::string_view key) const;
    [[nodiscard]] std::vector<std::string> keys() const;

    /// A text that is not empty.
    [[nodiscard]] std::string string(std::string_view key) const;
    [[nodiscard]] std::string string_or(std::string_view key, std::string_view fallback) const;
    /// A list of strings; a single string counts as a list of one.
    [[nodiscard]] std::vector<std::string> strings(std::string_view key) const;
    /// One of `known`; anything else is refused with the known ones listed.
    [[nodiscard]] std::size_t choice(std::string_view key, const std::vector<std::string>& known) const;
    [[nodiscard]] bool boolean(std::string_view key) const;
    [[nodiscard]] bool boolean_or(std::string_view key, bool fallback) const;
    [[nodiscard]] double number(std::string_view key, Range range) const;
    [[nodiscard]] double number_or(std::string_view key, double fallback, Range range) const;
    /// A list of numbers; a single one counts as a list of one.
    [[nodiscard]] std::vector<double> numbers(std::string_view key, Range range) const;
    /// A whole number in the range; 3.0 is whole, 3.5 and "3" are refused.
    [[nodiscard]] std::int64_t integer(std::string_view key, Range range) const;
    [[nodiscard]] std::int64_t integer_or(std::string_view key, std::int64_t fallback, Range range) const;
    /// A list of whole numbers; a single one counts as a list of one.
    [[nodiscard]] std::vector<std::int64_t> integers(std::string_view key, Range range) const;
    /// A list of lists of whole numbers.
    [[nodiscard]] std::vector<std::vector<std::int64_t>> integer_lists(std::string_view key, Range range) const;
    /// A text with a unit, such as "933 GB/s"; the range is in coherent units (s, bytes, flop, J, USD).
    template <class Q>
    [[nodiscard]] Q quantity(std::string_view key, Range range = {0.0, 1e30}) const;
    template <class Q>
    [[nodiscard]] Q quantity_or(std::string_view key, Q fallback, Range range = {0.0, 1e30}) const {
        return has(key) ? quantity<Q>(key, range) : fallback;
    }
    [[nodiscard]] Fields object(std::string_view key) const;
    /// Empty object (no fields) when the key is absent.
    [[nodiscard]] Fields object_or_empty(std::string_view key) const;
    [[nodiscard]] std::vector<Fields> objects(std::string_view key) const;
    /// Whether the value is a string, number or object (for fields that take a short and a long form).
    [[nodiscard]] bool is_string(std::string_view key) const;
    [[nodiscard]] bool is_number(std::string_view key) const;
    [[nodiscard]] bool is_object(std::string_view key) const;
    [[nodiscard]] bool is_null(std::string_view key) const;

    /// This object with `overrides` laid over it, objects merged key by key, all else replaced (for `extends`).
    /// A new object: it keeps the places of both and what was asked of both, and later changes to either stay out of
    /// it.
    [[nodiscard]] Fields overlaid_with(const Fields& overrides) const;
    /// Sets one value by a dotted path ("slo.ttft_mean", "models.0"); `value` is JSON or, failing that, a string.
    /// Missing objects on the way are made; a list takes the index of an entry that it has. Copies see the change.
    /// Throws InputError at `place` when a step of the path goes through something that is no object or list.
    void set(std::string_view path, std::string_view value, const std::string& place);

    /// Refuses every field of this object that was never asked for, with the nearest known key.
    void finish() const;
    /// Fails at one field of this object, or at the object itself for an empty key.
    [[noreturn]] void fail(std::string_view key, const std::string& message) const;
    /// "file: /pointer" of a field, or of the object for an empty key.
    [[nodiscard]] std::string place(std::string_view key = {}) const;
    /// The JSON text of one field, on one line.
    [[nodiscard]] std::string json(std::string_view key) const;
    /// The object as JSON text, keys in order of appearance; indent < 0 gives one line.
    [[nodiscard]] std::string dump(int indent = -1) const;

  private:
    struct Node;
    explicit Fields(std::shared_ptr<Node> node) : node_(std::move(node)) {}
    std::shared_ptr<Node> node_;
};

}  // namespace plimsoll
