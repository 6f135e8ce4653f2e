#pragma once
#include <memory>
#include <string>

#include "scenarios/validate.hpp"

namespace plimsoll {

/// The deployment and the lengths that a row of a table of measurements is of, or why there are none.
struct MeasuredDeployment {
    Deployment deployment;
    std::unique_ptr<Engine> engine;  ///< the library's with the row's rule applied
    Workload workload;
    std::string problem;
};

/// Resolves one row of a table with the columns that `validate` needs.
[[nodiscard]] MeasuredDeployment measured_deployment(const Csv& table, std::size_t row,
                                                     const ValidationAssumptions& assumptions, Catalog& catalog);

}  // namespace plimsoll
