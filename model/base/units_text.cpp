#include "model/base/units_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <span>
#include <system_error>
#include <vector>

#include "model/base/error.hpp"

namespace plimsoll {

namespace {

constexpr double kibi = 1024.0;
constexpr double minute = 60.0;
constexpr double hour = 3600.0;
constexpr double day = 24.0 * hour;
constexpr double year = 365.0 * day;
constexpr double watt_hour = 3600.0;

/// One unit: coherent = number * factor / divisor. One of the two is 1, so that "100 ms" is the double nearest to 0.1.
struct Unit {
    std::string_view name;
    double factor;
    double divisor = 1.0;
};

constexpr std::array time_units{Unit{"s", 1.0},      Unit{"ms", 1.0, 1e3}, Unit{"us", 1.0, 1e6}, Unit{"ns", 1.0, 1e9},
                                Unit{"min", minute}, Unit{"h", hour},      Unit{"d", day},       Unit{"year", year}};
constexpr std::array rate_units{Unit{"/s", 1.0},
                                Unit{"/min", 1.0, minute},
                                Unit{"/h", 1.0, hour},
                                Unit{"1/s", 1.0},
                                Unit{"1/min", 1.0, minute},
                                Unit{"1/h", 1.0, hour},
                                Unit{"req/s", 1.0},
                                Unit{"req/min", 1.0, minute},
                                Unit{"req/h", 1.0, hour},
                                Unit{"Hz", 1.0},
                                Unit{"kHz", 1e3},
                                Unit{"MHz", 1e6},
                                Unit{"GHz", 1e9}};
constexpr std::array size_units{Unit{"B", 1.0},
                                Unit{"kB", 1e3},
                                Unit{"MB", 1e6},
                                Unit{"GB", 1e9},
                                Unit{"TB", 1e12},
                                Unit{"PB", 1e15},
                                Unit{"KiB", kibi},
                                Unit{"MiB", kibi* kibi},
                                Unit{"GiB", kibi* kibi* kibi},
                                Unit{"TiB", kibi* kibi* kibi* kibi}};
constexpr std::array bandwidth_units{Unit{"B/s", 1.0},
                                     Unit{"kB/s", 1e3},
                                     Unit{"MB/s", 1e6},
                                     Unit{"GB/s", 1e9},
                                     Unit{"TB/s", 1e12},
                                     Unit{"PB/s", 1e15},
                                     Unit{"KiB/s", kibi},
                                     Unit{"MiB/s", kibi* kibi},
                                     Unit{"GiB/s", kibi* kibi* kibi},
                                     Unit{"TiB/s", kibi* kibi* kibi* kibi}};
constexpr std::array flop_units{Unit{"FLOP", 1.0},  Unit{"kFLOP", 1e3},  Unit{"MFLOP", 1e6},
                                Unit{"GFLOP", 1e9}, Unit{"TFLOP", 1e12}, Unit{"PFLOP", 1e15}};
constexpr std::array flop_rate_units{Unit{"FLOP/s", 1.0},  Unit{"kFLOP/s", 1e3},  Unit{"MFLOP/s", 1e6},
                                     Unit{"GFLOP/s", 1e9}, Unit{"TFLOP/s", 1e12}, Unit{"PFLOP/s", 1e15},
                                     Unit{"OP/s", 1.0},    Unit{"kOP/s", 1e3},    Unit{"MOP/s", 1e6},
                                     Unit{"GOP/s", 1e9},   Unit{"TOP/s", 1e12},   Unit{"POP/s", 1e15}};
constexpr std::array energy_units{Unit{"J", 1.0}, Unit{"kJ", 1e3}, Unit{"MJ", 1e6}, Unit{"Wh", watt_hour},
                                  Unit{"kWh", 1e3 * watt_hour}};
constexpr std::array power_units{Unit{"W", 1.0}, Unit{"kW", 1e3}, Unit{"MW", 1e6}};
constexpr std::array money_units{Unit{"USD", 1.0}};
constexpr std::array price_per_time_units{Unit{"USD/h", 1.0, hour}, Unit{"USD/s", 1.0},
                                          Unit{"USD/month", 1.0, year / 12.0}, Unit{"USD/year", 1.0, year}};
constexpr std::array price_per_energy_units{Unit{"USD/kWh", 1.0, 1e3 * watt_hour}, Unit{"USD/Wh", 1.0, watt_hour},
                                            Unit{"USD/J", 1.0}};

struct Dimension {
    DimensionWords words;
    std::span<const Unit> units;
};

constexpr std::array dimensions{
    Dimension{{"time", "3.15 s", "s"}, time_units},
    Dimension{{"rate", "5 /s", "/s"}, rate_units},
    Dimension{{"size", "24 GiB", "B"}, size_units},
    Dimension{{"bandwidth", "933 GB/s", "B/s"}, bandwidth_units},
    Dimension{{"amount of arithmetic", "14 GFLOP", "FLOP"}, flop_units},
    Dimension{{"arithmetic rate", "165 TFLOP/s", "FLOP/s"}, flop_rate_units},
    Dimension{{"energy", "500 J", "J"}, energy_units},
    Dimension{{"power", "300 W", "W"}, power_units},
    Dimension{{"sum of money", "9500 USD", "USD"}, money_units},
    Dimension{{"price per time", "2.50 USD/h", "USD/s"}, price_per_time_units},
    Dimension{{"price per energy", "0.12 USD/kWh", "USD/J"}, price_per_energy_units},
};

template <class Q>
constexpr std::size_t index_of = dimensions.size();
template <>
constexpr std::size_t index_of<Seconds> = 0;
template <>
constexpr std::size_t index_of<PerSecond> = 1;
template <>
constexpr std::size_t index_of<Bytes> = 2;
template <>
constexpr std::size_t index_of<BytesPerSecond> = 3;
template <>
constexpr std::size_t index_of<Flop> = 4;
template <>
constexpr std::size_t index_of<FlopPerSecond> = 5;
template <>
constexpr std::size_t index_of<Joules> = 6;
template <>
constexpr std::size_t index_of<Watts> = 7;
template <>
constexpr std::size_t index_of<Dollars> = 8;
template <>
constexpr std::size_t index_of<DollarsPerSecond> = 9;
template <>
constexpr std::size_t index_of<DollarsPerJoule> = 10;

const Unit* find_unit(const Dimension& dimension, std::string_view name) {
    for (const Unit& unit : dimension.units)
        if (unit.name == name) return &unit;
    return nullptr;
}

const Dimension* dimension_with(std::string_view unit) {
    for (const Dimension& dimension : dimensions)
        if (find_unit(dimension, unit) != nullptr) return &dimension;
    return nullptr;
}

/// The number at the beginning of a text, and the text behind it.
struct NumberAndRest {
    double number;
    std::string_view rest;
};

NumberAndRest read_number(std::string_view text, const std::string& place) {
    const std::string_view digits = text.substr(!text.empty() && text[0] == '-' ? 1 : 0);
    // from_chars also takes "inf" and "nan".
    const bool begins = !digits.empty() && ((digits[0] >= '0' && digits[0] <= '9') || digits[0] == '.');
    double number = 0.0;
    const auto [end, error] = begins ? std::from_chars(text.data(), text.data() + text.size(), number)
                                     : std::from_chars_result{text.data(), std::errc::invalid_argument};
    if (error == std::errc::result_out_of_range)
        throw InputError(place, in_quotes(text) + " is too large or too small for a number");
    if (error != std::errc{}) throw InputError(place, in_quotes(text) + " does not begin with a number");
    return {number, text.substr(static_cast<std::size_t>(end - text.data()))};
}

[[noreturn]] void refuse_unit(std::string_view text, std::string_view unit, const Dimension& expected,
                              const std::string& place) {
    const DimensionWords& words = expected.words;
    if (unit.empty()) throw InputError(place, in_quotes(text) + " has no unit; " + words.known_units());
    if (const Dimension* other = dimension_with(unit))
        throw InputError(place, in_quotes(text) + " is " + other->words.with_article() + ", expected " +
                                    words.with_article() + " such as '" + std::string(words.example) + "'; " +
                                    words.known_units());
    std::vector<std::string> known;
    for (const Unit& candidate : expected.units) known.emplace_back(candidate.name);
    throw InputError(place, unknown_name("unit of " + std::string(words.name), unit, std::move(known)));
}

double parse_in(std::string_view text, const Dimension& dimension, const std::string& place) {
    const auto [number, rest] = read_number(text, place);
    const std::size_t start = rest.find_first_not_of(' ');
    const std::string_view name = start == std::string_view::npos ? std::string_view{} : rest.substr(start);
    const Unit* unit = find_unit(dimension, name);
    if (unit == nullptr) refuse_unit(text, name, dimension, place);
    const double value = number * unit->factor / unit->divisor;
    if (!std::isfinite(value)) throw InputError(place, in_quotes(text) + " is too large or too small for a number");
    return value;
}

/// A unit of output: `least` is the smallest magnitude (in coherent units) that is written in it.
struct Step {
    const char* unit;
    double size;
    double least;
};

std::string three_digits(double number, const char* unit) {
    const double magnitude = std::fabs(number);
    std::array<char, 64> text{};
    const char* const format = magnitude < 0.9995 || magnitude >= 999999.5 ? "%.3g %s"
                               : magnitude < 9.995                         ? "%.2f %s"
                               : magnitude < 99.95                         ? "%.1f %s"
                                                                           : "%.0f %s";
    // NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): one of the four above.
    std::snprintf(text.data(), text.size(), format, number, unit);
    return text.data();
}

/// Picks the largest step that the magnitude reaches; the first step takes all that is smaller.
std::string with_prefix(double value, std::span<const Step> steps) {
    const Step* chosen = &steps.front();
    for (const Step& step : steps)
        if (std::fabs(value) >= step.least) chosen = &step;
    return three_digits(value / chosen->size, chosen->unit);
}

/// The smallest magnitude that rounds to 1.00 of a thousandfold prefix, as a part of it.
constexpr double rounds_up = 0.9995;

}  // namespace

std::string DimensionWords::with_article() const {
    const bool vowel = std::string_view("aeiou").find(name.front()) != std::string_view::npos;
    return (vowel ? "an " : "a ") + std::string(name);
}

std::string DimensionWords::known_units() const {
    std::string text = "known units of " + std::string(name) + ": ";
    for (const Dimension& dimension : dimensions) {
        if (dimension.words.name != name) continue;
        for (const Unit& unit : dimension.units)
            text += (&unit == &dimension.units.front() ? "" : ", ") + std::string(unit.name);
    }
    return text;
}

template <class Q>
const DimensionWords& dimension_words() {
    return dimensions[index_of<Q>].words;
}

template <class Q>
Q parse_quantity(std::string_view text, const std::string& place) {
    return Q(parse_in(text, dimensions[index_of<Q>], place));
}

double parse_number(std::string_view text, const std::string& place) {
    const auto [number, rest] = read_number(text, place);
    if (!rest.empty())
        throw InputError(place, in_quotes(text) + " is not a plain number; " + in_quotes(rest) + " follows it");
    return number;
}

std::string to_text(Seconds value) {
    static constexpr std::array steps{
        Step{"ns", 1e-9, 0.0},     Step{"us", 1e-6, 1e-6 * rounds_up}, Step{"ms", 1e-3, 1e-3 * rounds_up},
        Step{"s", 1.0, rounds_up}, Step{"min", minute, 2.0 * minute},  Step{"h", hour, 2.0 * hour},
        Step{"d", day, 2.0 * day}, Step{"year", year, 2.0 * year}};
    return value.value() == 0.0 ? "0 s" : with_prefix(value.value(), steps);
}

std::string to_text(Bytes value) {
    // 1023.5 of a unit would be written "1024".
    static constexpr double next = 1023.5 / kibi;
    static constexpr std::array steps{Step{"B", 1.0, 0.0}, Step{"KiB", kibi, kibi * next},
                                      Step{"MiB", kibi * kibi, kibi * kibi * next},
                                      Step{"GiB", kibi * kibi * kibi, kibi * kibi * kibi * next},
                                      Step{"TiB", kibi * kibi * kibi * kibi, kibi * kibi * kibi * kibi * next}};
    return with_prefix(value.value(), steps);
}

std::string to_text(BytesPerSecond value) {
    static constexpr std::array steps{Step{"B/s", 1.0, 0.0},
                                      Step{"kB/s", 1e3, 1e3 * rounds_up},
                                      Step{"MB/s", 1e6, 1e6 * rounds_up},
                                      Step{"GB/s", 1e9, 1e9 * rounds_up},
                                      Step{"TB/s", 1e12, 1e12 * rounds_up},
                                      Step{"PB/s", 1e15, 1e15 * rounds_up}};
    return with_prefix(value.value(), steps);
}

std::string to_text(Flop value) {
    static constexpr std::array steps{Step{"FLOP", 1.0, 0.0},
                                      Step{"kFLOP", 1e3, 1e3 * rounds_up},
                                      Step{"MFLOP", 1e6, 1e6 * rounds_up},
                                      Step{"GFLOP", 1e9, 1e9 * rounds_up},
                                      Step{"TFLOP", 1e12, 1e12 * rounds_up},
                                      Step{"PFLOP", 1e15, 1e15 * rounds_up}};
    return with_prefix(value.value(), steps);
}

std::string to_text(FlopPerSecond value) {
    return to_text(value * Seconds(1.0)) + "/s";
}

std::string to_text(Watts value) {
    static constexpr std::array steps{Step{"W", 1.0, 0.0}, Step{"kW", 1e3, 1e3 * rounds_up},
                                      Step{"MW", 1e6, 1e6 * rounds_up}};
    return with_prefix(value.value(), steps);
}

template const DimensionWords& dimension_words<Seconds>();
template const DimensionWords& dimension_words<PerSecond>();
template const DimensionWords& dimension_words<Bytes>();
template const DimensionWords& dimension_words<BytesPerSecond>();
template const DimensionWords& dimension_words<Flop>();
template const DimensionWords& dimension_words<FlopPerSecond>();
template const DimensionWords& dimension_words<Joules>();
template const DimensionWords& dimension_words<Watts>();
template const DimensionWords& dimension_words<Dollars>();
template const DimensionWords& dimension_words<DollarsPerSecond>();
template const DimensionWords& dimension_words<DollarsPerJoule>();
template Seconds parse_quantity<Seconds>(std::string_view, const std::string&);
template PerSecond parse_quantity<PerSecond>(std::string_view, const std::string&);
template Bytes parse_quantity<Bytes>(std::string_view, const std::string&);
template BytesPerSecond parse_quantity<BytesPerSecond>(std::string_view, const std::string&);
template Flop parse_quantity<Flop>(std::string_view, const std::string&);
template FlopPerSecond parse_quantity<FlopPerSecond>(std::string_view, const std::string&);
template Joules parse_quantity<Joules>(std::string_view, const std::string&);
template Watts parse_quantity<Watts>(std::string_view, const std::string&);
template Dollars parse_quantity<Dollars>(std::string_view, const std::string&);
template DollarsPerSecond parse_quantity<DollarsPerSecond>(std::string_view, const std::string&);
template DollarsPerJoule parse_quantity<DollarsPerJoule>(std::string_view, const std::string&);

}  // namespace plimsoll
