#include <algorithm>
#include <filesystem>

#include "cli/command.hpp"
#include "cli/entries.hpp"
#include "cli/session.hpp"
#include "model/base/error.hpp"
#include "model/base/fields.hpp"
#include "model/cost/architecture.hpp"
#include "model/spec/hugging_face.hpp"
#include "scenarios/reader.hpp"
#include "scenarios/validate.hpp"

namespace plimsoll {
namespace {

constexpr int exit_input = 2;

std::string schema_of(const std::string& kind) {
    return "plimsoll/" + kind + "/1";
}

/// What the file is, in words; throws where it is not good.
std::string check_file(const std::string& file, Catalog& catalog) {
    const Fields fields = Fields::from_file(file);
    if (is_hugging_face_config(fields)) {
        static_cast<void>(Architecture(read_model(fields)));
        return "model, as a config.json of " + fields.string("model_type");
    }
    std::vector<std::string> schemas{schema_of("scenario"), schema_of("assumptions")};
    for (const EntryKind& kind : entry_kinds())
        if (kind.check) schemas.push_back(schema_of(kind.kind));
    // A scenario that extends another may leave the schema to it.
    const bool extends = !fields.has("schema") && fields.has("extends");
    // A generated file says itself how to make another version of it anew.
    const bool profile = !extends && fields.string("schema").starts_with("plimsoll/profile/");
    if (profile) static_cast<void>(read_profile(fields));
    const std::size_t index = extends ? 0 : fields.choice("schema", schemas);
    if (index == 0) return "scenario " + read_scenario(file, {}, catalog).name;
    if (index == 1) {
        static_cast<void>(read_assumptions(fields, catalog));
        return "assumptions";
    }
    const auto kind = std::find_if(entry_kinds().begin(), entry_kinds().end(), [&](const EntryKind& known) {
        return known.check && schema_of(known.kind) == schemas[index];
    });
    kind->check(catalog, fields);
    const std::string name = fields.string("name"), stem = std::filesystem::path(file).stem().string();
    if (name != stem) fields.fail("name", "expected '" + stem + "', the name of the file, got '" + name + "'");
    return kind->kind + " " + name;
}

Document run(const Arguments& arguments, Session& session) {
    Document document;
    Table table{
        "files", "", {{"file", "file", 0}, {"good", "good", 0}, {"what", "what it is", 1, true}, {"error", "", 0}}, {}};
    for (const std::string& file : arguments.values("FILE")) {
        try {
            table.rows.push_back({file, Cell::flag(true), check_file(file, session.catalog()), Cell()});
        } catch (const InputError& error) {
            table.rows.push_back({file, Cell::flag(false), Cell(), error.what()});
            document.errors.emplace_back(error.what());
            document.exit_code = exit_input;
        }
    }
    document.items.push_back(std::move(table));
    return document;
}

}  // namespace

void register_check(Registry<Command>& registry) {
    registry.add("check",
                 {.summary = "Whether scenario and data files are good, or what is wrong with them",
                  .examples = {"plimsoll check scenarios/chat-10k-users.json",
                               "plimsoll check hardware_db/gpus/a30-24gb-pcie.json"},
                  .positionals = {{.name = "FILE",
                                   .help = "a scenario, an entry of hardware_db or scenarios/library, or a model's "
                                           "config.json",
                                   .many = true,
                                   .completes = "files"}},
                  .run = run});
}

}  // namespace plimsoll
