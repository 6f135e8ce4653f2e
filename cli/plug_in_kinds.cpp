#include "calibrate/importer.hpp"
#include "cli/command.hpp"
#include "cli/entries.hpp"
#include "cli/format.hpp"
#include "model/cost/block.hpp"
#include "model/cost/parallelism.hpp"
#include "simulator/load_plan.hpp"
#include "simulator/router.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// A table of the plug-ins of a seam.
template <class Entries, class Meaning>
Table plug_ins(const std::string& key, const Entries& registry, Meaning meaning) {
    Table table{key, "", {{"name", "name", 0}, {"summary", "summary", 1, true}}, {}};
    for (const auto& [name, entry] : registry) table.rows.push_back({name, meaning(entry)});
    return table;
}

template <class Kind>
Cell description(const Kind& kind) {
    return kind.description;
}

}  // namespace

std::vector<EntryKind> plug_in_kinds() {
    return {
        {.plural = "blocks",
         .kind = "",
         .meaning = "kinds of decoder blocks",
         .names = [](Catalog&) { return block_kinds().names(); },
         .table =
             [](Catalog&) {
                 return plug_ins("blocks", block_kinds(), [](const BlockKind& kind) {
                     return kind.is_attention ? "attention" : "feed-forward";
                 });
             }},
        {.plural = "parallelism",
         .kind = "",
         .meaning = "ways of splitting a model over GPUs",
         .names = [](Catalog&) { return parallelism_kinds().names(); },
         .table =
             [](Catalog&) {
                 Table table =
                     plug_ins("parallelism", parallelism_kinds(), [](const ParallelismKind&) { return Cell(); });
                 table.columns.resize(1);
                 for (Row& row : table.rows) row.resize(1);
                 return table;
             }},
        {.plural = "commands",
         .kind = "",
         .meaning = "commands of this program",
         .names = [](Catalog&) { return commands().names(); },
         .table =
             [](Catalog&) { return plug_ins("commands", commands(), [](const Command& c) { return c.summary; }); }},
        {.plural = "formats",
         .kind = "",
         .meaning = "output formats",
         .names = [](Catalog&) { return formats().names(); },
         .table = [](Catalog&) { return plug_ins("formats", formats(), [](const Format& f) { return f.summary; }); }},
        {.plural = "schedulers",
         .kind = "",
         .meaning = "rules of engines in the simulator",
         .names = [](Catalog&) { return schedulers().names(); },
         .table = [](Catalog&) { return plug_ins("schedulers", schedulers(), description<SchedulerKind>); }},
        {.plural = "routers",
         .kind = "",
         .meaning = "rules that give requests to replicas",
         .names = [](Catalog&) { return routers().names(); },
         .table = [](Catalog&) { return plug_ins("routers", routers(), description<RouterKind>); }},
        {.plural = "loads",
         .kind = "",
         .meaning = "ways of sending requests in the simulator",
         .names = [](Catalog&) { return load_sources().names(); },
         .table = [](Catalog&) { return plug_ins("loads", load_sources(), description<LoadKind>); }},
        {.plural = "importers",
         .kind = "",
         .meaning = "forms of other tools' measurements",
         .names = [](Catalog&) { return importers().names(); },
         .table = [](Catalog&) { return plug_ins("importers", importers(), description<Importer>); }},
    };
}

}  // namespace plimsoll
