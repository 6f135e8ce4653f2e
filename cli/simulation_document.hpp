#pragma once
#include <optional>

#include "cli/document.hpp"
#include "cli/simulation_question.hpp"

namespace plimsoll {

/// How a simulation's answer is written.
struct SimulationDetail {
    bool verbose = false;
    std::optional<Seconds> wall;  ///< what the runs took, where that is wanted
};

/// What a simulation answers.
[[nodiscard]] Document simulation_document(const SimulationQuestion& question, const SimulationResult& result,
                                           const SimulationDetail& detail);

// The parts of it: the latencies with the forecast of them, and the other figures.
void add_latencies(const SimulationQuestion& question, const Report& report, bool verbose, std::vector<Item>& items);
void add_figures(const SimulationQuestion& question, const Report& report, std::vector<Item>& items);
/// What each class of a mixture saw; an empty list without classes.
void add_classes(const SimulationQuestion& question, const Report& report, std::vector<Item>& items);
/// forecast / simulated - 1; unknown where either is.
[[nodiscard]] Cell gap(const Cell& forecast, double simulated);

}  // namespace plimsoll
