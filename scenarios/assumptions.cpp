#include <filesystem>

#include "model/base/error.hpp"
#include "scenarios/validate.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// Refuses a name that the data do not know.
template <class Entry>
std::string known(Shelf<Entry>& shelf, const std::string& name, const std::string& place) {
    if (!name.empty()) static_cast<void>(shelf.at(name, place));
    return name;
}

ValidationAssumptions::Rule read_rule(const Fields& fields, Catalog& catalog) {
    ValidationAssumptions::Rule rule;
    if (fields.has("models")) rule.models = fields.strings("models");
    for (const std::string& model : rule.models) known(catalog.models, model, fields.place("models"));
    rule.load = fields.string_or("load", "");
    rule.workload = known(catalog.workloads, fields.string_or("workload", ""), fields.place("workload"));
    const auto tokens = [&](std::string_view key) -> std::optional<int> {
        if (!fields.has(key)) return std::nullopt;
        return static_cast<int>(fields.integer(key, {1, 1e9}));
    };
    rule.max_waiting_tokens = tokens("max_waiting_tokens");
    rule.reserved_output_tokens = tokens("reserved_output_tokens");
    rule.requests = tokens("requests");
    if (fields.has("think_time"))
        rule.think_time = Distribution::parse_seconds(fields.string("think_time"), fields.place("think_time"));
    rule.reason = fields.string("reason");
    fields.finish();
    return rule;
}

/// Refuses a name that the simulator does not know.
std::string schedulers_named(const Fields& fields) {
    const std::string name = fields.string("scheduler");
    (void)schedulers().at(name, "scheduler", fields.place("scheduler"));
    return name;
}

}  // namespace

ValidationAssumptions read_assumptions(const Fields& fields, Catalog& catalog) {
    ValidationAssumptions result;
    const std::string schema = "plimsoll/assumptions/1";
    if (fields.string("schema") != schema) fields.fail("schema", "expected '" + schema + "'");
    result.engine = known(catalog.engines, fields.string("engine"), fields.place("engine"));
    result.node = known(catalog.nodes, fields.string_or("node", ""), fields.place("node"));
    result.weights = parse_dtype(fields.string_or("weights", "fp16"), fields.place("weights"));
    result.think_time = Distribution::parse_seconds(fields.string("think_time"), fields.place("think_time"));
    const std::vector<std::string> protocols{"drain", "steady"};
    result.steady_state = fields.choice("protocol", protocols) == 1;
    result.requests = static_cast<int>(fields.integer_or("requests", result.requests, {1, 1e6}));
    result.ramp = fields.quantity_or<Seconds>("ramp", result.ramp, {0, 1e5});
    if (fields.has("prompt_scale")) result.prompt_scale = fields.number("prompt_scale", {0.01, 100});
    if (fields.has("scheduler")) result.scheduler = schedulers_named(fields);
    if (fields.has("max_waiting_tokens"))
        result.max_waiting_tokens = static_cast<int>(fields.integer("max_waiting_tokens", {1, 1e9}));
    if (fields.has("tpot")) result.tpot_over_tokens = fields.choice("tpot", {"after_first", "all_tokens"}) == 1;
    if (fields.has("rules"))
        for (const Fields& rule : fields.objects("rules")) result.rules.push_back(read_rule(rule, catalog));
    fields.finish();
    return result;
}

ValidationAssumptions assumptions_named(const std::string& name_or_file, Catalog& catalog) {
    namespace fs = std::filesystem;
    std::vector<std::string> names;
    for (auto directory = catalog.directories().rbegin(); directory != catalog.directories().rend(); ++directory) {
        const fs::path folder = fs::path(*directory) / "scenarios/library/assumptions";
        const fs::path file = folder / (name_or_file + ".json");
        if (fs::exists(file)) return read_assumptions(Fields::from_file(file.string()), catalog);
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(folder, error)) names.push_back(entry.path().stem().string());
    }
    if (fs::exists(name_or_file)) return read_assumptions(Fields::from_file(name_or_file), catalog);
    throw InputError("--assumptions", unknown_name("assumptions", name_or_file, names));
}

}  // namespace plimsoll
