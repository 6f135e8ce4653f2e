#pragma once
#include <string>
#include <vector>

#include "cli/document.hpp"
#include "model/spec/catalog.hpp"

namespace plimsoll {

/// One kind of thing that `list` shows and `show` finds.
struct EntryKind {
    std::string plural;   ///< as `list` takes it
    std::string kind;     ///< as a data file's `schema` calls it: plimsoll/<kind>/1; empty: no data file
    std::string meaning;  ///< one line
    std::vector<std::string> (*names)(Catalog& catalog) = nullptr;
    Table (*table)(Catalog& catalog) = nullptr;
    /// The files of the entries with this name or alias; null where there are none.
    std::vector<std::string> (*files)(Catalog& catalog, const std::string& name) = nullptr;
    /// What follows from the entry of that exact name; null where nothing does.
    Facts (*derived)(Catalog& catalog, const std::string& name) = nullptr;
    /// Reads a data file of this kind strictly, names in it resolved; null where there are none.
    void (*check)(Catalog& catalog, const Fields& fields) = nullptr;
};

/// All kinds, data first.
[[nodiscard]] const std::vector<EntryKind>& entry_kinds();
[[nodiscard]] std::vector<std::string> entry_kind_names();
/// Those of them that are plug-ins of the program.
[[nodiscard]] std::vector<EntryKind> plug_in_kinds();

}  // namespace plimsoll
