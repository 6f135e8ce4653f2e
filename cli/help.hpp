#pragma once
#include <string>

#include "cli/command.hpp"

namespace plimsoll {

/// The help of the whole program, or of one group of commands.
[[nodiscard]] std::string program_help(std::size_t width, const std::string& group = "");
/// The help of one command with its examples.
[[nodiscard]] std::string command_help(const std::string& name, const Command& command, std::size_t width);

}  // namespace plimsoll
