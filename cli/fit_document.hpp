#pragma once
#include <string>
#include <string_view>

#include "calibrate/fit_report.hpp"
#include "cli/document.hpp"

namespace plimsoll {

/// What `calibrate fit` answers: errors by operator and group, constants, outliers.
[[nodiscard]] Document fit_document(const FitReport& report, const KernelTable& table);

/// The unit of a constant of a kernel's form, such as "s"; empty for a plain number.
[[nodiscard]] std::string_view unit_of(const KernelModel& model, const std::string& constant);

}  // namespace plimsoll
