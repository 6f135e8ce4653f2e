#include <algorithm>

#include "cli/command.hpp"
#include "cli/entries.hpp"
#include "cli/session.hpp"

namespace plimsoll {
namespace {

Table kinds_table(Catalog& catalog) {
    Table table{
        "kinds", "", {{"name", "name", 0}, {"entries", "entries", 0}, {"meaning", "what they are", 0, true}}, {}};
    for (const EntryKind& kind : entry_kinds())
        table.rows.push_back({kind.plural, Cell::count(static_cast<double>(kind.names(catalog).size())), kind.meaning});
    return table;
}

Document run(const Arguments& arguments, Session& session) {
    Document document;
    const auto wanted = arguments.value("KIND");
    if (!wanted) {
        if (arguments.given("names")) {
            std::string text;
            for (const std::string& name : entry_kind_names()) text += name + "\n";
            document.items.push_back(Verbatim{"names", text});
        } else {
            document.items.push_back(kinds_table(session.catalog()));
        }
        return document;
    }
    const auto kind = std::find_if(entry_kinds().begin(), entry_kinds().end(),
                                   [&](const EntryKind& known) { return known.plural == *wanted; });
    if (!arguments.given("names")) {
        document.items.push_back(kind->table(session.catalog()));
        return document;
    }
    std::string text;
    for (const std::string& name : kind->names(session.catalog())) text += name + "\n";
    document.items.push_back(Verbatim{"names", text});
    return document;
}

}  // namespace

void register_list(Registry<Command>& registry) {
    registry.add("list", {.summary = "What there is: GPUs, nodes, models, engines and more",
                          .examples = {"plimsoll list", "plimsoll list nodes", "plimsoll list models --format csv"},
                          .positionals = {{.name = "KIND",
                                           .help = "what to list; the kinds themselves if absent",
                                           .required = false,
                                           .choices = entry_kind_names()}},
                          .options = {{.name = "names", .help = "only the names, one a line"}},
                          .run = run});
}

}  // namespace plimsoll
