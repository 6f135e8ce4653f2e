#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/row_condition.hpp"
#include "model/base/csv.hpp"
#include "model/base/fields.hpp"
#include "model/base/registry.hpp"

namespace plimsoll {

/// A file of another tool as it was read.
struct MeasuredText {
    std::string name;  ///< the file, for messages
    std::string text;
};

/// Values of columns that the file does not say, or says wrongly: "gpu" -> "h20-96gb-sxm".
using GivenColumns = std::map<std::string, std::string>;

/// The rows of a file in the form that the fits and `validate` read, and what of it they do not get.
struct Imported {
    Csv table;
    std::vector<std::string> left_out;  ///< "file:line: why"
    std::size_t read = 0;               ///< rows before the conditions of the choice
};

/// What an importer's rows are of.
enum class MeasuredKind { kernels, serving, steps };
[[nodiscard]] std::string_view to_string(MeasuredKind measured);

/// How much a text looks like the importer's form.
enum class Likeness { none, some, sure };

/// A form in which measurements are written; one file of calibrate/importers.
struct Importer {
    std::string description;          ///< the tool and the forms of its output
    std::vector<MeasuredKind> gives;  ///< what its rows may be of
    std::vector<std::string> takes;   ///< columns that may be given beside the file
    Likeness (*likeness)(std::string_view) = nullptr;
    Imported (*read)(const MeasuredText&, const GivenColumns&) = nullptr;  ///< throws InputError "file:line"
};

/// All importers, by file name.
[[nodiscard]] const Registry<Importer>& importers();

/// How the user wants files read.
struct ImportChoice {
    std::string importer;  ///< empty: the one whose form the text looks like most
    GivenColumns given;
    std::vector<RowCondition> where = {};  ///< rows are taken that satisfy all
};
/// Reads "column=value"; throws InputError at --column.
[[nodiscard]] GivenColumns parse_given_columns(const std::vector<std::string>& texts);

/// Reads a file as rows of `wanted`. Throws EnvironmentError when it cannot be read, and InputError for a form that no
/// importer knows, rows of another kind, a given column that the importer does not take, and what its reader refuses.
[[nodiscard]] Imported import_file(const std::string& path, const ImportChoice& choice,
                                   const std::vector<MeasuredKind>& wanted);
/// The same from memory.
[[nodiscard]] Imported import_text(const MeasuredText& text, const ImportChoice& choice,
                                   const std::vector<MeasuredKind>& wanted);
/// What the rows of a table are of, by the columns that only that kind has; nothing where they do not tell.
[[nodiscard]] std::optional<MeasuredKind> measured_by(const Csv& table);

}  // namespace plimsoll
