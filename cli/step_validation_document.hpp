#pragma once
#include "calibrate/importer.hpp"
#include "cli/arguments.hpp"
#include "cli/document.hpp"
#include "model/spec/catalog.hpp"

namespace plimsoll {

/// Whole steps measured and predicted, row by row, and the errors by phase. Takes the options --engine (none if it was
/// not given), --node, --weights and --profile of validate; throws InputError for its others, which say nothing here.
[[nodiscard]] Document step_validation_document(const Imported& imported, const Arguments& arguments, Catalog& catalog);

}  // namespace plimsoll
