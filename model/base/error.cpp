#include "model/base/error.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace plimsoll {

namespace {

constexpr std::size_t longest_compared_name = 100;
constexpr std::size_t most_names_listed = 12;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Insertions, deletions and replacements that turn `a` into `b` (Levenshtein), letters compared without case.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0U : 1U);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

}  // namespace

EnvironmentError::EnvironmentError(const std::string& path, int error_number)
    : std::runtime_error(path + ": " + std::generic_category().message(error_number)) {}

std::string in_quotes(std::string_view text, std::size_t most) {
    const bool cut = text.size() > most;
    if (cut) {
        // A UTF-8 sequence is not torn: its later bytes are 10xxxxxx.
        while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
        text = text.substr(0, most);
    }
    std::string result = "'";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        result += byte < 0x20U || byte == 0x7FU ? '?' : c;
    }
    return result + (cut ? "...'" : "'");
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
    if (name.size() > longest_compared_name) return "";
    std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
    const std::string* nearest = nullptr;
    for (const std::string& candidate : known) {
        if (candidate.size() > longest_compared_name) continue;
        const std::size_t distance = edit_distance(name, candidate);
        // A distance of the whole length means that the two have nothing in common.
        if (distance < least && distance < std::max(name.size(), candidate.size())) {
            least = distance;
            nearest = &candidate;
        }
    }
    return nearest == nullptr ? "" : *nearest;
}

std::string unknown_name(std::string_view kind, std::string_view name, std::vector<std::string> known) {
    std::sort(known.begin(), known.end());
    std::string message = "unknown " + std::string(kind) + " " + in_quotes(name);
    const std::string nearest = nearest_name(name, known);
    message += nearest.empty() ? "; known: " : "; did you mean '" + nearest + "'? known: ";
    if (known.empty()) return message + "none";
    const std::size_t listed = std::min(known.size(), most_names_listed);
    for (std::size_t i = 0; i < listed; ++i) message += (i == 0 ? "" : ", ") + known[i];
    if (listed < known.size()) message += " and " + std::to_string(known.size() - listed) + " more";
    return message;
}

void detail::assertion_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "plimsoll: %s:%d: this does not hold: %s\n", file, line, condition);
    std::abort();
}

}  // namespace plimsoll
