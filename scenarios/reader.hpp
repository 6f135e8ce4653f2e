#pragma once
#include <string>
#include <utility>
#include <vector>

#include "model/spec/catalog.hpp"
#include "model/spec/scenario.hpp"
#include "scenarios/simulation_terms.hpp"

namespace plimsoll {

/// `--set path=value`, or an option that stands for one.
struct Override {
    std::string path;
    std::string value;
    std::string place;  ///< named in messages, e.g. "--set slo.ttft_mean=3s"
};

/// Reads a scenario file: `extends` (a file beside it, no cycles), then the overrides, then every name resolved.
/// Throws InputError with file and JSON pointer. The format is documented in scenarios/README.md. `simulation`, where
/// given, takes the section of that name, which is checked in any case, and the promises may be absent.
[[nodiscard]] Scenario read_scenario(const std::string& path, const std::vector<Override>& overrides, Catalog& catalog,
                                     SimulationTerms* simulation = nullptr);

/// The same without a file: the fields come from the overrides alone. `name` stands for the file in messages.
[[nodiscard]] Scenario make_scenario(const std::string& name, const std::vector<Override>& overrides, Catalog& catalog,
                                     SimulationTerms* simulation = nullptr);

/// Reads from text instead of a file (no `extends`).
[[nodiscard]] Scenario parse_scenario(std::string_view text, const std::string& name,
                                      const std::vector<Override>& overrides, Catalog& catalog,
                                      SimulationTerms* simulation = nullptr);

}  // namespace plimsoll
