#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/entries.hpp"
#include "cli/session.hpp"
#include "model/base/error.hpp"
#include "model/base/fields.hpp"
#include "model/spec/hugging_face.hpp"
#include "model/spec/sources.hpp"

namespace plimsoll {
namespace {

struct Found {
    const EntryKind* kind;
    std::string file;
    bool by_path = false;
};

std::string schema_of(const EntryKind& kind) {
    return "plimsoll/" + kind.kind + "/1";
}

/// The entries that answer to a name; an exact name counts before aliases.
std::vector<Found> find_entries(const std::string& name, const std::string& kind_wanted, Catalog& catalog) {
    std::vector<Found> exact, all;
    for (const EntryKind& kind : entry_kinds()) {
        if (!kind.files || (!kind_wanted.empty() && kind.kind != kind_wanted)) continue;
        for (std::string& file : kind.files(catalog, name)) {
            const bool is_name = file.ends_with("/" + name + ".json");
            (is_name ? exact : all).push_back({&kind, std::move(file)});
        }
    }
    return exact.empty() ? all : exact;
}

/// The kind of entry that a file of the user's is.
Found entry_of_file(const std::string& file) {
    const Fields fields = Fields::from_file(file);
    std::vector<std::string> schemas;
    for (const EntryKind& kind : entry_kinds())
        if (kind.files) schemas.push_back(schema_of(kind));
    const std::string wanted =
        is_hugging_face_config(fields) ? "plimsoll/model/1" : schemas[fields.choice("schema", schemas)];
    const auto kind = std::find_if(entry_kinds().begin(), entry_kinds().end(),
                                   [&](const EntryKind& known) { return known.files && schema_of(known) == wanted; });
    return {&*kind, file, true};
}

Found find_entry(const std::string& name, const std::string& kind_wanted, Catalog& catalog) {
    if (const auto file = catalog.models.file_of(name)) return entry_of_file(*file);
    const std::vector<Found> found = find_entries(name, kind_wanted, catalog);
    if (found.size() == 1) return found.front();
    if (found.empty()) {
        std::vector<std::string> known;
        for (const EntryKind& kind : entry_kinds())
            if (kind.files && (kind_wanted.empty() || kind.kind == kind_wanted))
                for (std::string& entry : kind.names(catalog)) known.push_back(std::move(entry));
        throw InputError("show", unknown_name(kind_wanted.empty() ? "name" : kind_wanted, name, known));
    }
    std::string message = in_quotes(name) + " may mean several entries: ";
    for (const Found& one : found)
        message +=
            (&one == &found.front() ? "" : ", ") + one.kind->kind + " " + Fields::from_file(one.file).string("name");
    throw InputError("show", message);
}

/// One value of a data file with its place in it.
struct Leaf {
    std::string path;
    std::string value;
};

void walk(const Fields& fields, const std::string& prefix, std::vector<Leaf>& leaves);

void walk_field(const Fields& fields, const std::string& key, const std::string& path, std::vector<Leaf>& leaves) {
    const std::string json = fields.json(key);
    if (json.starts_with("[{")) {
        const std::vector<Fields> entries = fields.objects(key);
        for (std::size_t i = 0; i < entries.size(); ++i) walk(entries[i], fmt::format("{}.{}.", path, i), leaves);
    } else if (fields.is_object(key)) {
        walk(fields.object(key), path + ".", leaves);
    } else {
        leaves.push_back({path, fields.is_string(key) ? fields.string(key) : json});
    }
}

void walk(const Fields& fields, const std::string& prefix, std::vector<Leaf>& leaves) {
    for (const std::string& key : fields.keys()) {
        const bool head = prefix.empty() && (key == "schema" || key == "name" || key == "aliases" ||
                                             key == "description" || key == "sources");
        if (!head) walk_field(fields, key, prefix + key, leaves);
    }
}

/// "datasheet" of "datasheet: ..."; empty where a text does not begin with an origin.
std::string origin_word(const std::string& source, const EntryKind& kind) {
    return kind.kind == "model" ? "" : std::string(to_string(origin_of(source, "sources")));
}

/// The facts of an entry and, numbered, the sources behind them.
void add_facts(const Fields& fields, const EntryKind& kind, std::vector<Item>& items) {
    std::map<std::string, std::string> texts;
    const Fields sources = fields.object_or_empty("sources");
    for (const std::string& key : sources.keys()) texts[key] = sources.string(key);
    std::vector<Leaf> leaves;
    walk(fields, "", leaves);
    Table table{"facts",
                "",
                {{"field", "field", 0},
                 {"value", "value", 0, true},
                 {"origin", "origin", 2},
                 {"", "source", 1},
                 {"source", "", 0}},
                {}};
    Bullets list{"", "Sources:", {}};
    std::vector<const std::string*> numbered;
    for (const Leaf& leaf : leaves) {
        const std::string* source = Sources::find(texts, leaf.path);
        if (!source) {
            table.rows.push_back({leaf.path, leaf.value, Cell(), Cell(), Cell()});
            continue;
        }
        auto at = std::find(numbered.begin(), numbered.end(), source);
        if (at == numbered.end()) {
            at = numbered.insert(numbered.end(), source);
            list.lines.push_back(fmt::format("[{}] {}", numbered.size(), *source));
        }
        const std::string origin = origin_word(*source, kind);
        table.rows.push_back({leaf.path, leaf.value, origin.empty() ? Cell() : Cell(origin),
                              fmt::format("[{}]", at - numbered.begin() + 1), *source});
    }
    items.push_back(std::move(table));
    items.push_back(std::move(list));
}

Document run(const Arguments& arguments, Session& session) {
    const Found found = find_entry(*arguments.value("NAME"), arguments.value("kind").value_or(""), session.catalog());
    const Fields read = Fields::from_file(found.file);
    const Fields fields = is_hugging_face_config(read) ? entry_of_config(read) : read;
    found.kind->check(session.catalog(), fields);
    const std::string name = fields.string("name");
    Document document;
    if (arguments.given("entry")) {
        document.items.push_back(Verbatim{"entry", fields.dump(2) + "\n"});
        return document;
    }
    Facts head{"", "", {{"kind", "kind", found.kind->kind}, {"name", "name", name}}};
    if (fields.has("aliases")) head.facts.push_back({"aliases", "aliases", fields.strings("aliases")});
    if (fields.has("description")) head.facts.push_back({"description", "description", fields.string("description")});
    document.items.push_back(std::move(head));
    if (found.kind->derived)
        document.items.push_back(found.kind->derived(session.catalog(), found.by_path ? found.file : name));
    add_facts(fields, *found.kind, document.items);
    return document;
}

std::vector<std::string> kinds_with_files() {
    std::vector<std::string> kinds;
    for (const EntryKind& kind : entry_kinds())
        if (kind.files) kinds.push_back(kind.kind);
    return kinds;
}

}  // namespace

void register_show(Registry<Command>& registry) {
    registry.add(
        "show",
        {.summary = "One entry: its facts with units, origins and sources",
         .examples = {"plimsoll show a30-24gb-pcie", "plimsoll show llama-13b --format json",
                      "plimsoll show A100-SXM4-40GB --kind gpu",
                      "plimsoll show tests/hugging_face/yi-34b/config.json --entry"},
         .positionals = {{.name = "NAME",
                          .help = "a name or alias, or a file: an entry, or a model's config.json",
                          .completes = "entries"}},
         .options = {{.name = "kind",
                      .value = "KIND",
                      .help = "the kind of entry, where a name means several",
                      .choices = kinds_with_files()},
                     {.name = "entry", .help = "the entry itself as a file of our own format, to keep and to edit"}},
         .run = run});
}

}  // namespace plimsoll
