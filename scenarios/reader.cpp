#include "scenarios/reader.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <type_traits>

#include "model/base/error.hpp"
#include "scenarios/defaults.hpp"
#include "scenarios/load_terms.hpp"
#include "scenarios/terms.hpp"

namespace plimsoll {
namespace {

namespace fs = std::filesystem;

constexpr const char* schema = "plimsoll/scenario/1";

/// One file of a chain of `extends`: as messages name it, and with all links resolved.
struct ChainFile {
    fs::path shown, real;
};

bool lies_below(const fs::path& file, const fs::path& directory) {
    return std::mismatch(directory.begin(), directory.end(), file.begin(), file.end()).first == directory.end();
}

/// The file that `extends` names: below the directory of the file that says so.
ChainFile base_of(const Fields& fields, const ChainFile& file) {
    const fs::path named = fields.string("extends");
    const bool climbs = std::find(named.begin(), named.end(), "..") != named.end();
    if (named.is_absolute() || climbs || named.filename().empty())
        fields.fail("extends", in_quotes(named.string()) + " must be a file below the directory of this one");
    ChainFile base{file.shown.parent_path() / named, {}};
    std::error_code error;
    base.real = fs::canonical(file.real.parent_path() / named, error);
    if (error || !fs::is_regular_file(base.real, error))
        fields.fail("extends", "there is no file " + in_quotes(named.string()) + " beside this one");
    if (!lies_below(base.real, file.real.parent_path()))
        fields.fail("extends", in_quotes(named.string()) + " is a link out of the directory of this file");
    return base;
}

void check_schema(const Fields& fields) {
    if (const std::string found = fields.string("schema"); found != schema)
        fields.fail("schema", std::string("expected '") + schema + "', got " + in_quotes(found));
}

void refuse_extends(const Fields& fields, const std::string& why) {
    if (given(fields, "extends")) fields.fail("extends", why);
}

/// Reads the file at the end of the chain and lays it over what it extends.
Fields read_chain(std::vector<ChainFile>& chain) {
    const ChainFile file = chain.back();
    Fields fields = Fields::from_file(file.shown.string());
    check_schema(fields);
    if (!given(fields, "extends")) return fields;
    if (!given(fields, "name")) fields.fail("", "a scenario that extends another needs a 'name' of its own");
    const ChainFile base = base_of(fields, file);
    const auto again =
        std::find_if(chain.begin(), chain.end(), [&](const ChainFile& seen) { return seen.real == base.real; });
    if (again != chain.end()) {
        std::string circle;
        for (auto seen = again; seen != chain.end(); ++seen) circle += seen->shown.filename().string() + " -> ";
        fields.fail("extends", "files extend each other in a circle: " + circle + base.shown.filename().string());
    }
    chain.push_back(base);
    Fields result = read_chain(chain).overlaid_with(fields);
    result.set("extends", "null", file.shown.string());
    return result;
}

void apply(const std::vector<Override>& overrides, Fields& fields) {
    for (const Override& override : overrides) fields.set(override.path, override.value, override.place);
    refuse_extends(fields, "'extends' works in files only");
}

/// Place of the entry of a field that may be a list or a single value.
std::string entry_place(const Fields& fields, std::string_view key, std::size_t index) {
    return fields.place(key) + (fields.is_string(key) ? "" : "/" + std::to_string(index));
}

/// A list of names (or one name), each turned into an entry by `resolve(name, place)`; empty lists and repeated entries
/// are refused.
template <class Resolve>
auto read_names(const Fields& fields, std::string_view key, Resolve resolve) {
    std::vector<std::invoke_result_t<Resolve, const std::string&, const std::string&>> result;
    const std::vector<std::string> names = fields.strings(key);
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string place = entry_place(fields, key, i);
        const auto entry = resolve(names[i], place);
        if (std::find(result.begin(), result.end(), entry) != result.end())
            throw InputError(place, in_quotes(names[i]) + " stands in the list already");
        result.push_back(entry);
    }
    if (result.empty()) fields.fail(key, "the list must not be empty");
    return result;
}

/// Everything on a shelf where a field says "all" instead of names.
template <class Entry>
std::optional<std::vector<const Entry*>> all_entries(const Fields& fields, std::string_view key, Shelf<Entry>& shelf) {
    if (!fields.has(key) || fields.strings(key) != std::vector<std::string>{"all"}) return std::nullopt;
    std::vector<const Entry*> result;
    for (const std::string& name : shelf.names()) result.push_back(&shelf.at(name, fields.place(key)));
    return result;
}

template <class Entry>
std::vector<const Entry*> read_entries(const Fields& fields, std::string_view key, Shelf<Entry>& shelf) {
    if (auto all = all_entries(fields, key, shelf)) return *std::move(all);
    return read_names(fields, key,
                      [&](const std::string& name, const std::string& place) { return &shelf.at(name, place); });
}

/// Nodes by name or alias, or "all"; the name of a GPU is refused with the nodes that hold it.
std::vector<const Node*> read_nodes(const Fields& fields, Catalog& catalog) {
    if (auto all = all_entries(fields, "nodes", catalog.nodes)) return *std::move(all);
    const auto resolve = [&](const std::string& name, const std::string& place) {
        if (!catalog.nodes.candidates(name).empty()) return &catalog.nodes.at(name, place);
        std::string holders;
        for (const Gpu* gpu : catalog.gpus.candidates(name))
            for (const std::string& node : catalog.nodes.names())
                if (&catalog.gpus.at(catalog.nodes.at(node, place).gpu, place) == gpu)
                    holders += (holders.empty() ? "" : ", ") + node;
        if (holders.empty()) return &catalog.nodes.at(name, place);
        throw InputError(place, in_quotes(name) + " is a GPU; nodes that hold it: " + holders);
    };
    return read_names(fields, "nodes", resolve);
}

std::vector<int> read_counts(const Fields& fields, std::string_view key, double most, Assumptions& assumptions) {
    std::vector<int> result;
    if (!assumptions.given_or_free(fields, key)) return result;
    for (const std::int64_t value : fields.integers(key, {1, most})) {
        if (std::find(result.begin(), result.end(), value) != result.end())
            fields.fail(key, std::to_string(value) + " stands in the list already");
        result.push_back(static_cast<int>(value));
    }
    if (result.empty()) fields.fail(key, "the list must not be empty");
    return result;
}

Dtype read_kv_dtype(const Fields& fields) {
    const Dtype result = parse_dtype(fields.string("kv_cache"), fields.place("kv_cache"));
    if (is_expanded(result) || result == Dtype::fp8_block)
        fields.fail("kv_cache", in_quotes(to_string(result)) + " is a format of weights, not of a KV cache");
    return result;
}

/// A whole number, or "N+k".
int read_spares(const Fields& fields) {
    constexpr double most = 100000;
    if (fields.is_number("spares")) return static_cast<int>(fields.integer("spares", {0, most}));
    const std::string text = fields.is_string("spares") ? fields.string("spares") : "";
    const std::string digits = text.substr(std::min<std::size_t>(2, text.size()));
    const bool whole = !digits.empty() && digits.size() <= 5 && digits.find_first_not_of("0123456789") == digits.npos;
    if (text.rfind("N+", 0) != 0 || !whole)
        fields.fail("spares", "expected a whole number from 0 to 100000, or a text such as 'N+1'");
    return std::stoi(digits);
}

/// Of what a plan may come to.
void read_bounds(const Fields& fields, Scenario& scenario) {
    if (given(fields, "max_nodes")) scenario.max_nodes = static_cast<int>(fields.integer("max_nodes", {1, 1e6}));
    if (given(fields, "max_cost")) scenario.max_cost = fields.quantity<DollarsPerSecond>("max_cost", {1e-6, 1e6});
    if (scenario.max_nodes && *scenario.max_nodes <= scenario.spares)
        fields.fail("max_nodes", "leaves no node beside the " + std::to_string(scenario.spares) + " of 'spares'");
}

void read_choices(const Fields& fields, Catalog& catalog, Assumptions& assumptions, Scenario& scenario) {
    scenario.models = read_entries(fields, "models", catalog.models);
    scenario.engines = read_entries(assumptions.source(fields, "engines"), "engines", catalog.engines);
    for (const Engine* engine : scenario.engines)
        if (!engine->assumes.empty()) assumptions.note(engine->name + ", " + engine->assumes);
    scenario.nodes = read_nodes(assumptions.source(fields, "nodes"), catalog);
    scenario.compare_nodes = assumptions.source(fields, "compare_nodes").boolean("compare_nodes");
    if (assumptions.given_or_free(fields, "weights")) scenario.weights = read_names(fields, "weights", parse_dtype);
    scenario.kv = read_kv_dtype(assumptions.source(fields, "kv_cache"));
    scenario.tensor_parallel = read_counts(fields, "tensor_parallel", 1024, assumptions);
    scenario.pipeline_parallel = read_counts(fields, "pipeline_parallel", 1024, assumptions);
    // Engines that cannot leave nothing open.
    const auto read_layout = [&](std::string_view key, bool Layouts::*can) {
        const bool open = std::any_of(scenario.engines.begin(), scenario.engines.end(),
                                      [&](const Engine* engine) { return engine->layouts.*can; });
        return open || given(fields, key) ? read_counts(fields, key, 1024, assumptions) : std::vector<int>{};
    };
    scenario.expert_parallel = read_layout("expert_parallel", &Layouts::expert);
    scenario.attention_data_parallel = read_layout("attention_data_parallel", &Layouts::attention_data);
    scenario.context_parallel = read_layout("context_parallel", &Layouts::context);
    scenario.hosts_per_instance = read_layout("hosts_per_instance", &Layouts::hosts);
    scenario.instances_per_node = read_counts(fields, "instances_per_node", 1024, assumptions);
    scenario.max_sequences = read_counts(fields, "max_sequences", 1e6, assumptions);
    if (given(fields, "speculation")) {
        const Fields terms = fields.object("speculation");
        scenario.speculation = read_speculation(terms, catalog);
        if (given(terms, "source")) scenario.acceptance_source = terms.string("source");
    }
    if (assumptions.given_or_free(fields, "profile"))
        scenario.profiles = profile_choice(fields.string("profile"), fields.place("profile"), catalog);
}

Scenario read_resolved(const Fields& fields, Catalog& catalog, SimulationTerms* simulation) {
    Scenario scenario;
    Assumptions assumptions;
    check_schema(fields);
    scenario.name = fields.string("name");
    if (given(fields, "description")) scenario.description = fields.string("description");
    read_choices(fields, catalog, assumptions, scenario);
    scenario.load = read_load(fields.object("load"), assumptions);
    if (simulation == nullptr || given(fields, "slo")) scenario.slo = read_slo(fields.object("slo"));
    read_requests(fields, catalog, assumptions, scenario);
    scenario.spares = read_spares(assumptions.source(fields, "spares"));
    scenario.headroom = assumptions.source(fields, "headroom").number("headroom", {0, 0.9});
    if (given(fields, "confidence")) scenario.confidence = fields.number("confidence", {0.5, 0.99});
    read_bounds(fields, scenario);
    scenario.cost = read_cost(object_or_empty(fields, "cost"), assumptions);
    const SimulationTerms terms = read_simulation(object_or_empty(fields, "simulation"), catalog, assumptions);
    if (simulation != nullptr) *simulation = terms;
    if (given(fields, "measured"))
        for (const Fields& entry : fields.objects("measured"))
            scenario.measured.push_back(read_measured(entry, catalog));
    fields.finish();
    scenario.assumptions = assumptions.sentences();
    scenario.left_out = left_out_of(scenario.load);
    for (std::string& sentence : left_out_of(terms)) scenario.left_out.push_back(std::move(sentence));
    scenario.resolved_json = fields.dump();
    return scenario;
}

}  // namespace

Scenario read_scenario(const std::string& path, const std::vector<Override>& overrides, Catalog& catalog,
                       SimulationTerms* simulation) {
    std::error_code error;  // a path that cannot be resolved cannot be read either, which says why
    std::vector<ChainFile> chain{{path, fs::weakly_canonical(path, error)}};
    Fields fields = read_chain(chain);
    apply(overrides, fields);
    return read_resolved(fields, catalog, simulation);
}

Scenario make_scenario(const std::string& name, const std::vector<Override>& overrides, Catalog& catalog,
                       SimulationTerms* simulation) {
    Fields fields = Fields::from_text(R"({"schema": "plimsoll/scenario/1", "name": "command line"})", name);
    apply(overrides, fields);
    return read_resolved(fields, catalog, simulation);
}

Scenario parse_scenario(std::string_view text, const std::string& name, const std::vector<Override>& overrides,
                        Catalog& catalog, SimulationTerms* simulation) {
    Fields fields = Fields::from_text(text, name);
    apply(overrides, fields);
    return read_resolved(fields, catalog, simulation);
}

}  // namespace plimsoll
