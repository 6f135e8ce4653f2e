#pragma once
#include <string>
#include <vector>

#include "calibrate/importer.hpp"
#include "cli/command.hpp"

namespace plimsoll {

/// The options that say how files of measurements are read: --importer and --column.
[[nodiscard]] std::vector<Option> import_options();
[[nodiscard]] ImportChoice import_choice(const Arguments& arguments);

/// The rows of all files as one table, named after the first. Throws InputError for rows of different kinds.
[[nodiscard]] Imported import_files(const std::vector<std::string>& paths, const ImportChoice& choice,
                                    const std::vector<MeasuredKind>& wanted);

}  // namespace plimsoll
