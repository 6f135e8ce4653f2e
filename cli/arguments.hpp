#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/fields.hpp"

namespace plimsoll {

struct Command;

/// The options and positionals that one command line gave, by name; fallbacks filled in.
class Arguments {
  public:
    void set(const std::string& name, std::vector<std::string> values, bool given);

    /// Whether the command line itself gave it.
    [[nodiscard]] bool given(const std::string& name) const;
    /// The value given or the fallback.
    [[nodiscard]] std::optional<std::string> value(const std::string& name) const;
    [[nodiscard]] const std::vector<std::string>& values(const std::string& name) const;
    /// A whole number in the range; throws InputError placed at the option.
    [[nodiscard]] std::optional<int> integer(const std::string& name, Range range) const;

  private:
    struct Entry {
        std::vector<std::string> values;
        bool given = false;
    };
    std::map<std::string, Entry> entries_;
};

/// A command line taken apart.
struct Invocation {
    const Command* command = nullptr;  ///< null: none was named
    std::string name;                  ///< of the command, or of a group of commands
    Arguments arguments;               ///< of the command
    Arguments globals;
    bool help = false;
    bool version = false;
};

/// Reads the arguments after the program's name. Throws InputError for an unknown command or option (the nearest is
/// suggested), a missing or surplus value, a value that is none of the choices.
[[nodiscard]] Invocation parse_arguments(const std::vector<std::string>& arguments);

}  // namespace plimsoll
