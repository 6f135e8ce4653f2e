#include "detect/entry_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace plimsoll {

EntryText::EntryText(const std::string& kind, const std::string& name) {
    add("schema", json_text("plimsoll/" + kind + "/1"));
    add("name", json_text(name));
}

void EntryText::add(const std::string& key, const std::string& json) {
    fields_.emplace_back(key, json);
}

std::string EntryText::text() const {
    std::string result = "{\n";
    for (const auto& [key, json] : fields_) result += fmt::format("  \"{}\": {},\n", key, json);
    result += "  \"sources\": {\n";
    for (std::size_t i = 0; i < sources_.size(); ++i)
        result += fmt::format("    \"{}\": {}{}\n", sources_[i].first, json_text(sources_[i].second),
                              i + 1 < sources_.size() ? "," : "");
    return result + "  }\n}\n";
}

std::string json_text(std::string_view text) {
    std::string result = "\"";
    for (const char c : text)
        if (static_cast<unsigned char>(c) >= 0x20U && c != '"' && c != '\\') result += c;
    return result + '"';
}

std::string json_lists(const std::vector<std::vector<int>>& lists) {
    std::string result;
    for (const std::vector<int>& list : lists)
        result += fmt::format("{}[{}]", result.empty() ? "" : ", ", fmt::join(list, ", "));
    return "[" + result + "]";
}

std::string entry_name(std::string_view text) {
    std::string name;
    bool gap = false;
    for (const char c : text) {
        const char lower = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        const bool kept = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
        if (kept && gap && !name.empty()) name += '-';
        if (kept) name += lower;
        gap = !kept;
    }
    return name;
}

}  // namespace plimsoll
