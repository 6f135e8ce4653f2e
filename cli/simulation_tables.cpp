#include <algorithm>

#include <fmt/format.h>

#include "cli/scenario_options.hpp"
#include "cli/simulation_options.hpp"
#include "cli/simulation_question.hpp"
#include "scenarios/load_terms.hpp"
#include "scenarios/reader.hpp"
#include "scenarios/terms.hpp"

namespace plimsoll {
namespace {

std::string needed(const Arguments& arguments, const std::string& name) {
    const auto value = arguments.value(name);
    if (!value) throw InputError("simulate", "--cost-tables needs --" + name);
    return *value;
}

void refuse_options_of_scenarios(const Arguments& arguments) {
    if (arguments.given("SCENARIO")) throw InputError("--cost-tables", "takes the place of a scenario file");
    const auto& known = options_beside_tables();
    for (const Option& option : scenario_options())
        if (arguments.given(option.name) && std::find(known.begin(), known.end(), option.name) == known.end())
            throw InputError("--" + option.name, "says nothing beside --cost-tables");
}

/// The fields that the options give; the lengths of a recording are its means.
Fields fields_of(const Arguments& arguments, const Trace* trace) {
    Fields fields = Fields::from_text("{}", "command line");
    for (const Override& one : overrides_of(arguments))
        if (one.place != "--workload" && one.place != "--max-sequences") fields.set(one.path, one.value, one.place);
    if (trace == nullptr) return fields;
    fields.set("prompt_tokens", fmt::format("{}", trace->mean_prompt()), "--workload");
    fields.set("output_tokens", fmt::format("{}", trace->mean_output()), "--workload");
    return fields;
}

LoadPlan load_of(const Arguments& arguments, Session& session, const Fields& fields,
                 const std::shared_ptr<const Trace>& trace, SimulationQuestion& question) {
    if (!trace) {
        needed(arguments, "prompt-tokens");
        needed(arguments, "output-tokens");
    }
    Scenario asked;
    Assumptions assumptions;
    if (given(fields, "slo")) asked.slo = read_slo(fields.object("slo"));
    const bool timed =
        given(fields, "load") && (given(fields.object("load"), "users") || given(fields.object("load"), "rate"));
    LoadPlan load;
    if (timed) {
        asked.load = read_load(fields.object("load"), assumptions);
        read_requests(fields, session.catalog(), assumptions, asked);
        load = load_plan(asked.load.part(1.0), asked.sent, 1, asked.slo);
    } else if (trace) {
        if (given(fields, "load")) {
            const Fields said = fields.object("load");
            for (const std::string& key : said.keys()) said.fail(key, "says nothing about recorded arrivals");
        }
        for (const char* key : {"prompt_tokens", "output_tokens"}) static_cast<void>(fields.has(key));
        load.kind = "trace";
        load.slo = asked.slo;
    } else {
        throw InputError("simulate", "--cost-tables needs a load: --workload FILE, --rate or --users");
    }
    load.trace = trace;
    question.think_time = Seconds(asked.load.think_time.mean());
    question.assumptions = assumptions.sentences();
    return load;
}

/// Replicas of the tables' engine as the terms have them.
void read_terms(const Arguments& arguments, Session& session, const Fields& fields, SimulationQuestion& question) {
    Assumptions assumptions;
    const Fields simulation = object_or_empty(fields, "simulation");
    const SimulationTerms terms = read_simulation(simulation, session.catalog(), assumptions);
    for (const char* key : {"pools", "disaggregation", "preemption", "absent", "recording"})
        if (given(simulation, key))
            simulation.fail(key, "tables do not say what this needs of a deployment: give a scenario");
    SimulationSetup& setup = question.setup;
    needed(arguments, "scheduler");
    setup.scheduler = &scheduler_named(*terms.engine.scheduler, "--scheduler");
    setup.settings = setup.scheduler->defaults;
    if (const auto limit = whole_number(arguments, "max-sequences", {1, 1e6}))
        setup.settings.max_sequences = static_cast<std::uint32_t>(*limit);
    needed(arguments, "kv-blocks");
    apply(terms.engine, *setup.scheduler, setup.settings);
    check_settings(*setup.scheduler, setup.settings, "limits of the scheduler");
    setup.replicas = terms.replicas;
    setup.router = terms.router;
    if (terms.load_factor) setup.routing.load_factor = *terms.load_factor;
    setup.start_up = terms.start_up;
    setup.conditions = terms.conditions;
}

}  // namespace

void read_tables(const Arguments& arguments, Session& session, SimulationQuestion& question) {
    refuse_options_of_scenarios(arguments);
    const std::string folder = *arguments.value("cost-tables");
    needed(arguments, "layers");
    const int layers = *arguments.integer("layers", {1, 10000});
    const auto workload = arguments.value("workload");
    if (workload && !is_trace_file(*workload))
        throw InputError("--workload", "beside --cost-tables it is a file, FILE.csv or FILE.jsonl");
    const auto trace = workload ? std::make_shared<const Trace>(read_trace(*workload)) : nullptr;
    const Fields fields = fields_of(arguments, trace.get());
    read_terms(arguments, session, fields, question);
    question.tables = std::make_unique<TabulatedTimer>(folder, layers);
    question.setup.timer = question.tables.get();
    question.setup.load = load_of(arguments, session, fields, trace, question);
    fields.finish();
    question.subject =
        fmt::format("Costs tabulated in {}, {} layers, scheduler {}", folder, layers, *arguments.value("scheduler"));
}

}  // namespace plimsoll
