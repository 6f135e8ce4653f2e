#include "cli/completion.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/command_names.hpp"
#include "cli/entries.hpp"

namespace plimsoll {
namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

/// A command's name as one word of a shell's pattern.
std::string one_word(const std::string& name) {
    return name.find(' ') == name.npos ? name : "'" + name + "'";
}

/// What stands for a group of commands: their words.
std::string group_summary(const std::string& group) {
    return "one of: " + joined(command_words(group));
}

std::vector<Option> options_of(const Command& command) {
    std::vector<Option> options = command.options;
    options.insert(options.end(), global_options().begin(), global_options().end());
    options.push_back({.name = "help", .help = "the help of this command"});
    return options;
}

std::vector<std::string> option_words(const Command& command) {
    std::vector<std::string> words;
    for (const Option& option : options_of(command)) words.push_back("--" + option.name);
    return words;
}

/// The shell text that lists the entries of a kind: names are asked of the program when they are needed.
std::string list_names(const std::string& kind) {
    if (kind != "entries") return "plimsoll list " + kind + " --names 2>/dev/null";
    std::string text;
    for (const EntryKind& entry : entry_kinds())
        if (entry.files) text += (text.empty() ? "" : "; ") + list_names(entry.plural);
    return text;
}

// bash

std::string bash_words(const std::string& completes, const std::vector<std::string>& choices) {
    if (!choices.empty()) return "COMPREPLY=($(compgen -W '" + joined(choices) + "' -- \"$word\"))";
    if (completes == "files") return "COMPREPLY=($(compgen -f -- \"$word\"))";
    if (completes == "directories") return "COMPREPLY=($(compgen -d -- \"$word\"))";
    if (completes.empty()) return "COMPREPLY=()";
    return "COMPREPLY=($(compgen -W \"$(" + list_names(completes) + ")\" -- \"$word\"))";
}

std::string bash_script() {
    std::string text =
        "_plimsoll() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} group= command= each\n"
        "    for each in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
        "        case $group$each in\n"
        "            " +
        [] {
            std::string names;
            for (const std::string& name : commands().names()) names += (names.empty() ? "" : "|") + one_word(name);
            return names;
        }() +
        ") command=$group$each; break ;;\n";
    for (const std::string& group : command_groups()) text += "            " + group + ") group='" + group + " ' ;;\n";
    text += "        esac\n    done\n    case $command:$previous in\n";
    for (const Option& option : global_options())
        text += "        *:--" + option.name + ") " + bash_words(option.completes, option.choices) + "; return ;;\n";
    for (const auto& [name, command] : commands())
        for (const Option& option : command.options)
            if (!option.value.empty())
                text += "        " + one_word(name) + ":--" + option.name + ") " +
                        bash_words(option.completes, option.choices) + "; return ;;\n";
    text += "    esac\n    case $command in\n";
    for (const auto& [name, command] : commands()) {
        text += "        " + one_word(name) + ")\n            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '" +
                joined(option_words(command)) + "' -- \"$word\"))\n";
        if (!command.positionals.empty())
            text += "            else " +
                    bash_words(command.positionals.front().completes, command.positionals.front().choices) + "\n";
        text += "            fi ;;\n";
    }
    text += "        *) case $group in\n";
    for (const std::string& group : command_groups())
        text += "            '" + group + " ') " + bash_words("", command_words(group)) + " ;;\n";
    return text + "            *) COMPREPLY=($(compgen -W '" + joined(command_words()) +
           " --help --version' -- \"$word\")) ;;\n        esac ;;\n    esac\n}\n"
           "complete -o filenames -F _plimsoll plimsoll\n";
}

// zsh

/// Text inside a zsh specification in single quotes.
std::string zsh_text(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '\'') {
            result += "'\\''";
            continue;
        }
        if (c == '[' || c == ']' || c == ':' || c == '\\') result += '\\';
        result += c;
    }
    return result;
}

std::string zsh_values(const std::string& completes, const std::vector<std::string>& choices) {
    if (!choices.empty()) return "(" + joined(choices) + ")";
    if (completes == "files") return "_files";
    if (completes == "directories") return "_files -/";
    if (completes.empty()) return " ";
    return "($(" + list_names(completes) + "))";
}

std::string zsh_option(const Option& option) {
    const std::string repeated = option.list || option.repeatable ? "*" : "";
    std::string text = "'" + repeated + "--" + option.name + "[" + zsh_text(option.help) + "]";
    if (!option.value.empty())
        text += ":" + zsh_text(option.value) + ":" + zsh_values(option.completes, option.choices);
    return text + "'";
}

/// Offers the words that may follow, or passes on.
std::string zsh_choice(const std::string& group, const std::string& indent) {
    std::string text = indent + "commands=(\n";
    for (const std::string& word : command_words(group)) {
        const Command* command = commands().find(group.empty() ? word : group + " " + word);
        text += indent + "    '" + word + ":" + zsh_text(command ? command->summary : group_summary(word)) + "'\n";
    }
    return text + indent + ")\n" + indent + "if (( CURRENT == 2 )); then\n" + indent +
           "    _describe command commands\n" + indent + "    return\n" + indent + "fi\n";
}

std::string zsh_script() {
    std::string text = "#compdef plimsoll\n_plimsoll() {\n    local -a commands\n" + zsh_choice("", "    ") +
                       "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n";
    for (const std::string& group : command_groups())
        text += "    if [[ $command == " + group + " ]]; then\n" + zsh_choice(group, "        ") +
                "        command+=\" $words[2]\"\n        shift words\n        (( CURRENT-- ))\n    fi\n";
    text += "    case $command in\n";
    for (const auto& [name, command] : commands()) {
        text += "        " + one_word(name) + ") _arguments";
        for (const Option& option : options_of(command)) text += " \\\n            " + zsh_option(option);
        for (const Positional& positional : command.positionals)
            text += fmt::format(" \\\n            '{}:{}:{}'", positional.many ? "*" : "1", zsh_text(positional.name),
                                zsh_values(positional.completes, positional.choices));
        text += " ;;\n";
    }
    return text + "    esac\n}\n_plimsoll \"$@\"\n";
}

// fish

std::string fish_text(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '\'' || c == '\\') result += '\\';
        result += c;
    }
    return "'" + result + "'";
}

std::string fish_values(const std::string& completes, const std::vector<std::string>& choices) {
    if (!choices.empty()) return " -x -a " + fish_text(joined(choices));
    if (completes == "files") return " -r -F";
    if (completes == "directories") return " -x -a '(__fish_complete_directories)'";
    if (completes.empty()) return " -x";
    return " -x -a '(" + list_names(completes) + ")'";
}

std::string fish_script() {
    std::string text = "complete -c plimsoll -f\n";
    const std::string none = "complete -c plimsoll -n __fish_use_subcommand";
    for (const std::string& word : command_words()) {
        const Command* command = commands().find(word);
        text += none + " -a " + word + " -d " + fish_text(command ? command->summary : group_summary(word)) + "\n";
    }
    text += none + " -l version -d 'the version'\n" + none + " -l help -d 'the commands'\n";
    for (const auto& [name, command] : commands()) {
        const auto [group, word] = split_command_name(name);
        const std::string from = "__fish_seen_subcommand_from ";
        if (!group.empty())
            text += "complete -c plimsoll -n '" + from + group + "; and not " + from + joined(command_words(group)) +
                    "' -a " + word + " -d " + fish_text(command.summary) + "\n";
        std::string condition = from + word;
        if (!group.empty())
            condition += "; and " + from + group;
        else if (!command_groups().empty())
            condition += "; and not " + from + joined(command_groups());
        const std::string seen = "complete -c plimsoll -n '" + condition + "'";
        for (const Option& option : options_of(command)) {
            text += seen;
            text += " -l " + option.name + " -d " + fish_text(option.help);
            if (!option.value.empty()) text += fish_values(option.completes, option.choices);
            text += "\n";
        }
        for (const Positional& positional : command.positionals)
            text += seen + fish_values(positional.completes, positional.choices) + "\n";
    }
    return text;
}

}  // namespace

const std::vector<std::string>& completion_shells() {
    static const std::vector<std::string> shells{"bash", "zsh", "fish"};
    return shells;
}

std::string completion_script(const std::string& shell) {
    if (shell == "bash") return bash_script();
    return shell == "zsh" ? zsh_script() : fish_script();
}

}  // namespace plimsoll
