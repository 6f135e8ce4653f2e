#pragma once
#include <string>
#include <vector>

#include "calibrate/importer.hpp"
#include "cli/command.hpp"

namespace plimsoll {

/// The options that say how files of measurements are read: --importer, --column and --where.
[[nodiscard]] std::vector<Option> import_options();
[[nodiscard]] ImportChoice import_choice(const Arguments& arguments);

/// The rows of all files as one table, named after the first. Throws InputError for rows of different kinds and where
/// none satisfies the conditions.
[[nodiscard]] Imported import_files(const std::vector<std::string>& paths, const ImportChoice& choice,
                                    const std::vector<MeasuredKind>& wanted);
/// Throws InputError at --where: of so many rows none satisfies the conditions.
[[noreturn]] void refuse_conditions(std::size_t rows);

}  // namespace plimsoll
