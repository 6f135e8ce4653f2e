#include "cli/help.hpp"

#include <algorithm>

#include "cli/command_names.hpp"
#include "cli/format.hpp"
#include "cli/words.hpp"

namespace plimsoll {

const std::vector<Option>& global_options() {
    static const std::vector<Option> options = {
        {.name = "data",
         .value = "DIR",
         .help =
             "lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated",
         .repeatable = true,
         .completes = "directories"},
        {.name = "format",
         .value = "FORMAT",
         .help = "how to write the answer",
         .choices = formats().names(),
         .fallback = "table"},
        {.name = "output",
         .value = "FILE",
         .help = "write the answer to a file; - is the standard output",
         .completes = "files",
         .written = true},
        {.name = "width", .value = "COLUMNS", .help = "columns of the text; those of the terminal if absent"},
    };
    return options;
}

const Option& output_data_option() {
    static const Option option{.name = "output-data",
                               .value = "DIR",
                               .help = "the data directory to write to",
                               .fallback = "plimsoll-data",
                               .completes = "directories"};
    return option;
}

namespace {

/// Two columns: terms, and what they mean beside or, for long terms, below them.
std::string definitions(const std::vector<std::pair<std::string, std::string>>& entries, std::size_t width) {
    constexpr std::size_t widest_term = 26;
    std::size_t indent = 0;
    for (const auto& entry : entries)
        if (display_width(entry.first) <= widest_term) indent = std::max(indent, display_width(entry.first));
    indent += 4;
    std::string text;
    for (const auto& [term, meaning] : entries) {
        std::string line = "  " + term;
        if (display_width(line) + 2 > indent) {
            text += line + "\n";
            line.clear();
        }
        for (const std::string& part : wrap(meaning, width > indent + 20 ? width - indent : 20)) {
            line.append(indent - std::min(indent, display_width(line)), ' ');
            text += line + part + "\n";
            line.clear();
        }
    }
    return text;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::string option_list(const std::vector<Option>& options, std::size_t width) {
    std::vector<std::pair<std::string, std::string>> entries;
    for (const Option& option : options) {
        std::string term = "--" + option.name;
        if (!option.value.empty()) term += " " + option.value + (option.list ? ",..." : "");
        std::string meaning = option.help;
        if (!option.choices.empty()) meaning += ": " + joined(option.choices);
        if (!option.fallback.empty()) meaning += " (" + option.fallback + " if absent)";
        entries.emplace_back(std::move(term), std::move(meaning));
    }
    return definitions(entries, width);
}

std::string paragraph(const std::string& text, std::size_t width) {
    std::string result;
    for (const std::string& line : wrap(text, width)) result += line + "\n";
    return result;
}

/// A command line, continued over lines as a shell reads it.
std::string example_text(const std::string& example, std::size_t width) {
    constexpr std::size_t indent = 6, continuation = 2;
    const std::vector<std::string> lines = wrap(example, width > 40 ? width - indent - continuation : 32);
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i)
        text += (i == 0 ? "  " : "      ") + lines[i] + (i + 1 < lines.size() ? " \\\n" : "\n");
    return text;
}

}  // namespace

std::string program_help(std::size_t width, const std::string& group) {
    std::string text = paragraph("plimsoll tells how many nodes an LLM deployment needs for its users.", width);
    text += "\nUsage: plimsoll " + (group.empty() ? "" : group + " ") + "COMMAND [OPTIONS]\n\nCommands:\n";
    std::vector<std::pair<std::string, std::string>> entries;
    std::string example = "plimsoll plan scenarios/chat-10k-users.json";
    for (const auto& [name, command] : commands()) {
        if (!group.empty() && split_command_name(name).group != group) continue;
        if (!group.empty() && entries.empty()) example = command.examples.front();
        entries.emplace_back(name, command.summary);
    }
    text += definitions(entries, width);
    text += "\nOptions of every command:\n" + option_list(global_options(), width);
    text += definitions({{"--help", "this text, or that of a command"}, {"--version", "the version"}}, width);
    return text + "\nExample:\n" + example_text(example, width);
}

std::string command_help(const std::string& name, const Command& command, std::size_t width) {
    std::string usage = "Usage: plimsoll " + name;
    std::vector<std::pair<std::string, std::string>> entries;
    for (const Positional& positional : command.positionals) {
        std::string word = positional.name + (positional.many ? "..." : "");
        usage += positional.required ? " " + word : " [" + word + "]";
        entries.emplace_back(
            word, positional.choices.empty() ? positional.help : positional.help + ": " + joined(positional.choices));
    }
    std::string text = paragraph(command.summary, width) + "\n" + usage + " [OPTIONS]\n";
    if (!command.description.empty()) text += "\n" + paragraph(command.description, width);
    if (!entries.empty()) text += "\nArguments:\n" + definitions(entries, width);
    if (!command.options.empty()) text += "\nOptions:\n" + option_list(command.options, width);
    text += "\nOptions of every command:\n" + option_list(global_options(), width);
    text += command.examples.size() == 1 ? "\nExample:\n" : "\nExamples:\n";
    for (const std::string& example : command.examples) text += example_text(example, width);
    return text;
}

}  // namespace plimsoll
