#pragma once
#include <vector>

#include "cli/document.hpp"
#include "model/capacity/plan.hpp"

namespace plimsoll {

/// One column a metric and statistic, each with its interval; those promised have a title, and so has the mean of TTFT
/// and TPOT where they are not promised.
void add_latency_columns(const Scenario& scenario, bool verbose, std::vector<Column>& columns);
/// The cells for these; null: of no candidate that works.
void add_latencies(const Candidate* candidate, Row& row);
/// The same of the simulated ones, for machines only.
void add_simulated_columns(std::vector<Column>& columns);
void add_simulated(const Candidate* candidate, Row& row);

}  // namespace plimsoll
