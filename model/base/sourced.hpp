#pragma once
#include <string>
#include <string_view>

namespace plimsoll {

/// Where a number comes from, strongest first. A forecast reports the weakest origin that it used.
enum class Origin { measured_here, measured_elsewhere, fitted, datasheet, estimated, extrapolated };

[[nodiscard]] std::string_view to_string(Origin origin);
/// The origin that a source text in a data file states by its first words: "measured here:", "measured:", "fitted:",
/// "datasheet:", "estimated:". Throws InputError at `place` for any other beginning.
[[nodiscard]] Origin origin_of(std::string_view source, const std::string& place);
[[nodiscard]] constexpr Origin weakest(Origin a, Origin b) {
    return a < b ? b : a;
}

/// A constant with its standard deviation (same unit; 0 where none is known) and its origin.
template <class T>
struct Sourced {
    T value{};
    T standard_deviation{};
    Origin origin = Origin::estimated;
};

}  // namespace plimsoll
