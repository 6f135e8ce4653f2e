#include "cli/words.hpp"

#include <algorithm>

namespace plimsoll {
namespace {

/// Bytes of a word that is too long for `width`: up to its last inner hyphen or slash, or as many as fit.
std::size_t break_of(std::string_view word, std::size_t width) {
    std::size_t cut = 0;
    for (std::size_t seen = 0; cut < word.size(); ++cut)
        if ((static_cast<unsigned char>(word[cut]) & 0xC0U) != 0x80U && seen++ == width) break;
    const std::size_t joint = word.substr(0, cut).find_last_of("-/");
    return joint != word.npos && joint > 0 ? joint + 1 : cut;
}

/// Where the word that begins at `from` ends; a percent sign stays with its number.
std::size_t end_of_word(std::string_view text, std::size_t from) {
    std::size_t to = text.find_first_of(" \n", from);
    while (to != text.npos && text.substr(to, 2) == " %") to = text.find_first_of(" \n", to + 1);
    return std::min(to, text.size());
}

}  // namespace

std::size_t display_width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::size_t longest_word(std::string_view text) {
    std::size_t most = 0, from = 0;
    while (from <= text.size()) {
        const std::size_t to = end_of_word(text, from);
        most = std::max(most, display_width(text.substr(from, to - from)));
        from = to + 1;
    }
    return most;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
    width = std::max<std::size_t>(width, 1);
    std::vector<std::string> lines;
    std::string line;
    std::size_t from = 0;
    while (from <= text.size()) {
        const std::size_t to = end_of_word(text, from);
        std::string word(text.substr(from, to - from));
        from = to + 1;
        if (!line.empty() && display_width(line) + 1 + display_width(word) <= width) {
            line += " " + word;
            continue;
        }
        if (!line.empty()) lines.push_back(std::move(line));
        while (display_width(word) > width) {
            const std::size_t cut = break_of(word, width);
            lines.push_back(word.substr(0, cut));
            word.erase(0, cut);
        }
        line = std::move(word);
    }
    if (!line.empty() || lines.empty()) lines.push_back(std::move(line));
    return lines;
}

std::size_t longest_part(std::string text) {
    for (std::size_t at = text.find_first_of("-/", 1); at != text.npos; at = text.find_first_of("-/", at + 2))
        if (text[at - 1] != ' ' && text[at - 1] != '\n') text.insert(at + 1, " ");
    return longest_word(text);
}

}  // namespace plimsoll
