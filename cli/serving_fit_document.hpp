#pragma once
#include <string>

#include "cli/arguments.hpp"
#include "cli/document.hpp"
#include "cli/serving_fit.hpp"
#include "cli/session.hpp"

namespace plimsoll {

/// `calibrate fit --serving FILE`: fits, judges, writes the entries where `--data-out` names a directory.
[[nodiscard]] Document serving_fit_document(const Arguments& arguments, Session& session);

/// Writes the engine and the nodes with their fitted constants and where they come from below a data directory, for
/// `--data`. Returns the files. Throws EnvironmentError where one cannot be written.
std::vector<std::string> write_serving_entries(const ServingCalibration& calibration, const std::string& engine,
                                               const std::string& directory, const std::string& table,
                                               Catalog& catalog);

}  // namespace plimsoll
