#pragma once
#include <string>
#include <string_view>

#include "model/base/units.hpp"

namespace plimsoll {

/// How messages speak of one dimension: its name ("bandwidth"), an example ("933 GB/s"), the coherent unit ("B/s").
struct DimensionWords {
    std::string_view name;
    std::string_view example;
    std::string_view coherent_unit;

    /// "a bandwidth", "an energy".
    [[nodiscard]] std::string with_article() const;
    /// "known units of bandwidth: B/s, kB/s, ...".
    [[nodiscard]] std::string known_units() const;
};

/// The words of a quantity's dimension; instantiated for every alias of units.hpp.
template <class Q>
[[nodiscard]] const DimensionWords& dimension_words();

/// Reads "<number> <unit>" ("933 GB/s", "3.15s", "24 GiB", "165 TFLOP/s", "0.12 USD/kWh"); the blank is optional.
/// Instantiated for every alias of units.hpp. Prefixes k M G T P (decimal) and Ki Mi Gi Ti (bytes only);
/// a year is 365 days (8760 h), a month of a price a twelfth of it; OP stands for FLOP in rates; a rate is "5 /s", "5
/// 1/s" or "5 req/s" (s, min, h). Throws InputError at `place` for a missing unit, an unknown unit, a unit of another
/// dimension (both are named, with the known units), a number that is not finite or has trailing text.
template <class Q>
[[nodiscard]] Q parse_quantity(std::string_view text, const std::string& place);

/// Reads a finite decimal number, nothing before or after it; throws InputError at `place`.
[[nodiscard]] double parse_number(std::string_view text, const std::string& place);

/// Text for people with three significant digits and a fitting prefix: "3.15 s", "98.4 ms", "24.0 GiB", "933 GB/s".
[[nodiscard]] std::string to_text(Seconds value);
[[nodiscard]] std::string to_text(Bytes value);
[[nodiscard]] std::string to_text(BytesPerSecond value);
[[nodiscard]] std::string to_text(Flop value);
[[nodiscard]] std::string to_text(FlopPerSecond value);
[[nodiscard]] std::string to_text(Watts value);

}  // namespace plimsoll
