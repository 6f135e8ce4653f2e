#pragma once
#include <string>

#include "detect/machine.hpp"

namespace plimsoll {

/// Runs nvidia-smi and lscpu here and reads /proc and /sys. A machine without nvidia-smi or without a device has no
/// outputs of it; a driver that does not answer, a tool that may not be run and a missing lscpu are EnvironmentErrors.
[[nodiscard]] ToolOutputs probe_machine();
/// The outputs that a folder holds, as `detect --save` wrote them.
[[nodiscard]] ToolOutputs saved_machine(const std::string& folder);

}  // namespace plimsoll
