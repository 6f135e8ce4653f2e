#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plimsoll {

/// Text of a data file as it grows field by field.
class EntryText {
  public:
    EntryText(const std::string& kind, const std::string& name);
    /// `json`: the value as JSON text.
    void add(const std::string& key, const std::string& json);
    void source(const std::string& path, const std::string& text) { sources_.emplace_back(path, text); }
    /// The file, the sources at its end.
    [[nodiscard]] std::string text() const;

  private:
    std::vector<std::pair<std::string, std::string>> fields_, sources_;
};

/// The text in double quotes, without what would have to be escaped.
[[nodiscard]] std::string json_text(std::string_view text);
/// [[0, 1], [2, 3]].
[[nodiscard]] std::string json_lists(const std::vector<std::vector<int>>& lists);
/// Lower case letters and digits of a text, "-" between its words: a name that an entry may have.
[[nodiscard]] std::string entry_name(std::string_view text);

}  // namespace plimsoll
