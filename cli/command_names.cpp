#include "cli/command_names.hpp"

#include <algorithm>

#include "cli/command.hpp"

namespace plimsoll {

CommandName split_command_name(const std::string& name) {
    const std::size_t blank = name.find(' ');
    if (blank == name.npos) return {"", name};
    return {name.substr(0, blank), name.substr(blank + 1)};
}

std::vector<std::string> command_words(const std::string& group) {
    std::vector<std::string> words;
    for (const std::string& name : commands().names()) {
        const CommandName parts = split_command_name(name);
        if (!group.empty() && parts.group != group) continue;
        const std::string& word = group.empty() && !parts.group.empty() ? parts.group : parts.word;
        if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
    }
    return words;
}

std::vector<std::string> command_groups() {
    std::vector<std::string> groups = command_words();
    std::erase_if(groups, [](const std::string& word) { return commands().find(word) != nullptr; });
    return groups;
}

}  // namespace plimsoll
