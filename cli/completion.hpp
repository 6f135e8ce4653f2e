#pragma once
#include <string>
#include <vector>

namespace plimsoll {

/// The shells that a completion script can be written for.
[[nodiscard]] const std::vector<std::string>& completion_shells();
/// A script that completes commands, options and their values, made from the declared options.
[[nodiscard]] std::string completion_script(const std::string& shell);

}  // namespace plimsoll
