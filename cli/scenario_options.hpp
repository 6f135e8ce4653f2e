#pragma once
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "model/spec/scenario.hpp"
#include "scenarios/reader.hpp"

namespace plimsoll {

/// The options that state a scenario or lie over that of a file.
[[nodiscard]] const std::vector<Option>& scenario_options();
/// What these options and those of `simulate` change, in their order, `--set` last.
[[nodiscard]] std::vector<Override> overrides_of(const Arguments& arguments);
/// The scenario of a file with the options over it, or of the options alone when `file` is empty. Only with
/// `simulation` may it be without promises.
[[nodiscard]] Scenario read_question(const std::string& file, const Arguments& arguments, Catalog& catalog,
                                     SimulationTerms* simulation = nullptr);

}  // namespace plimsoll
