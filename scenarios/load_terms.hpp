#pragma once
#include "model/spec/catalog.hpp"
#include "model/spec/scenario.hpp"
#include "scenarios/defaults.hpp"

namespace plimsoll {

/// The object `load`: users that think between their requests, or a rate, never both; how they arrive, whether they
/// hold conversations. Its classes are read by `read_requests`. Throws InputError with file and JSON pointer.
[[nodiscard]] Load read_load(const Fields& load, Assumptions& assumptions);

/// What is sent: the lengths, and the classes of the load with lengths and promises of their own. Fills in
/// `load.classes`, `sent` and `workload` of a scenario that has its promises and the rest of its load.
void read_requests(const Fields& scenario, Catalog& catalog, Assumptions& assumptions, Scenario& result);

/// What the load says and a plan does not model, in sentences.
[[nodiscard]] std::vector<std::string> left_out_of(const Load& load);

}  // namespace plimsoll
