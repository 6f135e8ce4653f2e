#pragma once
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/document.hpp"
#include "model/base/registry.hpp"

namespace plimsoll {

class Session;

/// One option as data: parsing, help, completion and the option pages come from this.
struct Option {
    std::string name;                       ///< without the dashes
    std::string value = {};                 ///< name of the value in the help; empty for a flag
    std::string help = {};                  ///< one sentence without a full stop
    bool list = false;                      ///< may be repeated, and each value may be a list with commas
    bool repeatable = false;                ///< may be repeated
    std::vector<std::string> choices = {};  ///< the only values
    std::string fallback = {};              ///< value when the option is absent
    /// What the value names, for completion: "files", "directories", or a word of `plimsoll list`.
    std::string completes = {};
    bool written = false;  ///< the value names a file that is written
};

/// One argument without a name.
struct Positional {
    std::string name;
    std::string help;
    bool required = true;
    bool many = false;
    std::vector<std::string> choices = {};
    std::string completes = {};
};

/// One subcommand, as one file of cli/commands registers it.
struct Command {
    std::string summary;                ///< one line
    std::string description = {};       ///< a paragraph for its help
    std::vector<std::string> examples;  ///< whole command lines; a test runs each in the root of the source tree
    std::vector<Positional> positionals = {};
    std::vector<Option> options = {};
    /// The document may say that the question has no answer (exit code 3) or that inputs are bad (2).
    Document (*run)(const Arguments& arguments, Session& session) = nullptr;
};

/// All subcommands, by file name.
[[nodiscard]] const Registry<Command>& commands();

/// The options that every subcommand takes, before or after its name.
[[nodiscard]] const std::vector<Option>& global_options();
/// `--output-data`, of the commands that write a data directory.
[[nodiscard]] const Option& output_data_option();

}  // namespace plimsoll
