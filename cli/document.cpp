#include "cli/document.hpp"

#include <cmath>

#include <fmt/format.h>

#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

std::string with_commas(std::string digits) {
    const std::size_t first = digits.starts_with('-') ? 1 : 0;
    for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
    return digits;
}

std::string money(double dollars) {
    if (std::abs(dollars) >= 999.5) return with_commas(fmt::format("{:.0f}", dollars));
    const bool to_cents =
        std::abs(dollars) >= 1.0 || dollars == 0.0 || std::abs(dollars * 100.0 - std::round(dollars * 100.0)) < 1e-6;
    return to_cents ? fmt::format("{:.2f}", dollars) : plain_number(dollars);
}

/// One decimal up to 100.
std::string percent(double number) {
    if (number != 0.0 && std::abs(number) < 0.05) return number < 0 ? "-0.0" : "<0.1";
    return std::abs(number) >= 99.95 ? plain_number(std::round(number)) : fmt::format("{:.1f}", number);
}

/// How many of the cell's own unit make one of the column's.
double unit_size(std::string_view unit) {
    if (unit == "ms") return 1e-3;
    if (unit == "kW") return 1e3;
    if (unit == "GB/s") return 1e9;
    PLIMSOLL_ASSERT(unit == "s" || unit == "USD/h" || unit == "W" || unit == "USD" || unit == "/s");
    return 1.0;
}

std::string number_text(Kind kind, double number) {
    switch (kind) {
        case Kind::count:
            return with_commas(fmt::format("{:.0f}", number));
        case Kind::seconds:
            return to_text(Seconds(number));
        case Kind::bytes:
            return number == 0.0 ? "0" : to_text(Bytes(number));
        case Kind::bytes_per_second:
            return to_text(BytesPerSecond(number));
        case Kind::flop:
            return number == 0.0 ? "0" : to_text(Flop(number));
        case Kind::flop_per_second:
            return to_text(FlopPerSecond(number));
        case Kind::watts:
            return to_text(Watts(number));
        case Kind::dollars:
            return money(number) + " USD";
        case Kind::dollars_per_hour:
            return money(number) + " USD/h";
        case Kind::fraction:
            return percent(number * 100.0) + " %";
        case Kind::change:
            return change_text(number);
        default:
            return plain_number(number);
    }
}

}  // namespace

Cell::Cell(Kind number_kind, double number) : kind(number_kind) {
    if (std::isfinite(number)) value = number;
}

Cell Cell::flag(bool truth) {
    Cell cell;
    cell.kind = Kind::flag;
    cell.value = truth;
    return cell;
}

namespace {

/// Three significant digits, zeros at the end kept.
std::string three_digits(double number) {
    const double size = std::abs(number);
    if (size >= 999.5) return with_commas(fmt::format("{:.0f}", number));
    if (size == 0.0) return "0";
    if (size < 1e-4) return fmt::format("{:.3g}", number);
    const int decimals = 2 - static_cast<int>(std::floor(std::log10(size * 1.0005)));
    return fmt::format("{:.{}f}", number, decimals);
}

}  // namespace

std::string plain_number(double number) {
    std::string text = three_digits(number);
    if (text.find('.') != text.npos && text.find('e') == text.npos) {
        while (text.back() == '0') text.pop_back();
        if (text.back() == '.') text.pop_back();
    }
    return text;
}

namespace {

/// The number of a cell, in the column's unit where it has one.
std::string number_in_unit(Kind kind, double number, std::string_view unit) {
    if (unit.empty()) return number_text(kind, number);
    const double scaled = number / unit_size(unit);
    if (kind == Kind::dollars || kind == Kind::dollars_per_hour) return money(scaled);
    return kind == Kind::count ? number_text(Kind::count, scaled) : three_digits(scaled);
}

}  // namespace

std::string to_text(const Cell& cell, std::string_view unit) {
    if (const auto* truth = std::get_if<bool>(&cell.value)) return *truth ? "yes" : "no";
    if (const auto* text = std::get_if<std::string>(&cell.value)) return *text;
    if (const auto* texts = std::get_if<std::vector<std::string>>(&cell.value)) {
        std::string joined;
        for (const std::string& text : *texts) joined += (joined.empty() ? "" : ", ") + text;
        return joined;
    }
    if (!cell.is_number()) return "-";
    const std::string text = number_in_unit(cell.kind, std::get<double>(cell.value), unit);
    if (!cell.interval) return text;
    const std::string low = number_in_unit(cell.kind, cell.interval->low, unit);
    if (low == text && number_in_unit(cell.kind, cell.interval->high, unit) == text) return text;
    if (!std::isfinite(cell.interval->high)) return text + " (" + low + " or more)";
    return text + " (" + low + "-" + number_in_unit(cell.kind, cell.interval->high, unit) + ")";
}

std::string plural(double count, std::string_view noun) {
    return fmt::format("{} {}{}", to_text(Cell::count(count)), noun, count == 1 ? "" : "s");
}

std::string change_text(double fraction) {
    if (std::abs(fraction) < 5e-4) return "+0.0 %";
    return (fraction > 0 ? "+" : "") + percent(fraction * 100.0) + " %";
}

std::string title_of(const Column& column) {
    return column.unit.empty() ? column.title : column.title + " " + column.unit;
}

}  // namespace plimsoll
