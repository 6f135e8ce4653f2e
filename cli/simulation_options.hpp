#pragma once
#include <vector>

#include "cli/command.hpp"

namespace plimsoll {

/// The options of `simulate`: those of a scenario, with users, rate and workload meaning what is simulated, and its
/// own.
[[nodiscard]] std::vector<Option> simulation_options();

/// The options of a scenario that say something when costs are tabulated as well.
[[nodiscard]] const std::vector<std::string>& options_beside_tables();

/// Whether a value of --workload is a recorded workload, not the name of one.
[[nodiscard]] bool is_trace_file(const std::string& workload);

}  // namespace plimsoll
