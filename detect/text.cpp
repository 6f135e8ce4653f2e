#include "detect/text.hpp"

#include <charconv>
#include <sstream>

namespace plimsoll {

std::vector<std::string> split_words(std::string_view text) {
    std::istringstream stream{std::string(text)};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

std::vector<std::string> plain_lines(std::string_view text) {
    std::vector<std::string> lines;
    std::string line;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n') {
            lines.push_back(std::move(line));
            line.clear();
        } else if (text[i] == '\x1b') {
            while (i + 1 < text.size() && (text[i] < '@' || text[i] == '[') && text[i + 1] != '\n') ++i;
        } else if (text[i] != '\r') {
            line += text[i];
        }
    }
    if (!line.empty()) lines.push_back(std::move(line));
    return lines;
}

std::optional<double> leading_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data()) return std::nullopt;
    return value;
}

}  // namespace plimsoll
