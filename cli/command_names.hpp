#pragma once
#include <string>
#include <vector>

namespace plimsoll {

/// A command's name has one word, or two of which the first names a group: "calibrate run".
struct CommandName {
    std::string group;  ///< empty for a command of one word
    std::string word;
};
[[nodiscard]] CommandName split_command_name(const std::string& name);

/// The second words of a group's commands; without a group what may come first: commands of one word and groups.
[[nodiscard]] std::vector<std::string> command_words(const std::string& group = "");
/// The groups among the first words.
[[nodiscard]] std::vector<std::string> command_groups();

}  // namespace plimsoll
