#pragma once
#include <iosfwd>
#include <vector>

#include "cli/simulation_question.hpp"

namespace plimsoll {

/// Searches the highest load at which the question's promises hold and makes it the load of the question, its forecast
/// included. `progress`: where to tell how far it is, null: nobody looks. Throws InputError for a load without promises
/// or without a steady state.
void find_highest_load(std::ostream* progress, SimulationQuestion& question);

/// What the search found, beside the forecast's own.
void add_highest_load(const SimulationQuestion& question, std::vector<Item>& items);

}  // namespace plimsoll
