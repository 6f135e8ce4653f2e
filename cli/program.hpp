#pragma once
#include <string>
#include <vector>

#include "cli/session.hpp"

namespace plimsoll {

/// Runs one command line (without the program's name) and returns the exit code: 0, 2 for the user's failures, 3 when
/// nothing that was asked for is feasible, 4 for the machine's. Messages begin with "plimsoll: ".
[[nodiscard]] int run_program(const std::vector<std::string>& arguments, const Environment& environment);

}  // namespace plimsoll
