#pragma once
#include "calibrate/fit_report.hpp"
#include "cli/document.hpp"

namespace plimsoll {

/// What `calibrate fit` answers: errors by operator and group, constants, outliers.
[[nodiscard]] Document fit_document(const FitReport& report, const KernelTable& table);

}  // namespace plimsoll
