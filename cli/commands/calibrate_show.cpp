#include "cli/command.hpp"
#include "cli/profile_document.hpp"
#include "cli/session.hpp"
#include "model/base/fields.hpp"

namespace plimsoll {
namespace {

/// A file where the name looks like one, else an entry of the catalog.
Document run(const Arguments& arguments, Session& session) {
    const std::string name = *arguments.value("PROFILE");
    Document document;
    if (name.ends_with(".json"))
        document.items = profile_items(read_profile(Fields::from_file(name)));
    else
        document.items = profile_items(session.catalog().profiles.at(name, "calibrate show"));
    return document;
}

}  // namespace

void register_calibrate_show(Registry<Command>& registry) {
    registry.add("calibrate show",
                 {.summary = "A profile: constants with errors, measured against fitted, where points are missing",
                  .examples = {"plimsoll calibrate show a40-48gb-pcie-published",
                               "plimsoll calibrate show hardware_db/profiles/a30-24gb-pcie-published.json"},
                  .positionals = {{.name = "PROFILE",
                                   .help = "a name of plimsoll list profiles, or a file that ends in .json",
                                   .completes = "profiles"}},
                  .run = run});
}

}  // namespace plimsoll
