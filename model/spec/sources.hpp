#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "model/base/fields.hpp"
#include "model/base/sourced.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {

/// The `sources` of a data file: which text, and so which origin, stands behind each of its fields.
class Sources {
  public:
    /// Reads the field `sources` of an entry; every text must begin with an origin word.
    explicit Sources(const Fields& entry);

    /// The text of the longest path that is `path` or a dotted beginning of it, else that of `*`.
    /// Throws InputError when neither is there: a number without a source is refused.
    [[nodiscard]] const std::string& text(std::string_view path) const;
    [[nodiscard]] Origin origin(std::string_view path) const;
    [[nodiscard]] const std::map<std::string, std::string>& all() const { return texts_; }
    /// The text that counts for a path, or null.
    [[nodiscard]] static const std::string* find(const std::map<std::string, std::string>& texts,
                                                 std::string_view path);

  private:
    std::string place_;
    std::map<std::string, std::string> texts_;
};

/// A number or "value +- standard deviation" with the origin that `sources` gives for `path`.
[[nodiscard]] Sourced<double> sourced_number(const Fields& fields, std::string_view key, Range range,
                                             const Sources& sources, std::string_view path);

namespace detail {
/// Splits "a +- b"; a text without "+-" has no second part.
[[nodiscard]] std::pair<std::string, std::optional<std::string>> split_deviation(const std::string& text);
void check_range(double value, double deviation, Range range, const Fields& fields, std::string_view key);
}  // namespace detail

/// The same for a text with a unit: "3.5 us" or "3.5 us +- 1 us".
template <class Q>
[[nodiscard]] Sourced<Q> sourced_quantity(const Fields& fields, std::string_view key, const Sources& sources,
                                          std::string_view path, Range range = {0.0, 1e30}) {
    const auto [value, deviation] = detail::split_deviation(fields.string(key));
    Sourced<Q> result;
    result.value = parse_quantity<Q>(value, fields.place(key));
    if (deviation) result.standard_deviation = parse_quantity<Q>(*deviation, fields.place(key));
    detail::check_range(result.value.value(), result.standard_deviation.value(), range, fields, key);
    result.origin = sources.origin(path);
    return result;
}

/// What every entry of the database begins with.
struct EntryHead {
    std::string name;
    std::vector<std::string> aliases;
};

/// Reads `schema` (which must be `plimsoll/<kind>/1`), `name` and `aliases`.
[[nodiscard]] EntryHead read_head(const Fields& fields, std::string_view kind);

}  // namespace plimsoll
