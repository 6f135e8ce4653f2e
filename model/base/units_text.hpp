#pragma once
#include <string>
#include <string_view>

#include "model/base/units.hpp"

namespace plimsoll {

/// Reads "<number> <unit>" ("933 GB/s", "3.15s", "24 GiB", "165 TFLOP/s", "0.12 USD/kWh"); the blank is optional.
/// Instantiated for every alias of units.hpp. Prefixes k M G T P (decimal) and Ki Mi Gi Ti (bytes only).
/// Throws InputError at `place` for a missing unit, an unknown unit, a unit of another dimension (both are named,
/// with the known units), a number that is not finite or has trailing text.
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
