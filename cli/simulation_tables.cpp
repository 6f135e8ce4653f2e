#include <algorithm>

#include <fmt/format.h>

#include "cli/scenario_options.hpp"
#include "cli/simulation_options.hpp"
#include "cli/simulation_question.hpp"
#include "model/base/units_text.hpp"

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

/// The promises of --ttft, --tpot and --e2e, for the goodput.
Slo promises_of(const Arguments& arguments) {
    Slo slo;
    const auto statistic = static_cast<Statistic>(
        std::find(statistic_names.begin(), statistic_names.end(), *arguments.value("statistic")) -
        statistic_names.begin());
    for (std::size_t m = 0; m < metric_names.size(); ++m) {
        const std::string name(metric_names[m]);
        if (const auto limit = arguments.value(name))
            slo.terms.push_back({static_cast<Metric>(m), statistic, parse_quantity<Seconds>(*limit, "--" + name)});
    }
    return slo;
}

LoadPlan load_of(const Arguments& arguments) {
    LoadPlan load;
    const auto workload = arguments.value("workload");
    if (workload && !is_trace_file(*workload))
        throw InputError("--workload", "beside --cost-tables it is a file, FILE.csv or FILE.jsonl");
    if (workload)
        load.trace = std::make_shared<Trace>(read_trace(*workload));
    else
        load.prompt = Distribution::parse_tokens(needed(arguments, "prompt-tokens"), "--prompt-tokens"),
        load.output = Distribution::parse_tokens(needed(arguments, "output-tokens"), "--output-tokens");
    if (const auto users = whole_number(arguments, "users", {1, 1e9})) {
        load.kind = "closed";
        load.users = static_cast<std::uint32_t>(*users);
        load.think_time = Distribution::parse_seconds(needed(arguments, "think-time"), "--think-time");
    } else if (const auto rate = arguments.value("rate")) {
        load.rate = parse_quantity<PerSecond>(*rate, "--rate");
    } else if (workload) {
        load.kind = "trace";
    } else {
        throw InputError("simulate", "--cost-tables needs a load: --workload FILE, --rate or --users");
    }
    return load;
}

}  // namespace

void read_tables(const Arguments& arguments, SimulationQuestion& question) {
    refuse_options_of_scenarios(arguments);
    const std::string folder = *arguments.value("cost-tables");
    needed(arguments, "layers");
    const int layers = *arguments.integer("layers", {1, 10000});
    SimulationSetup& setup = question.setup;
    setup.scheduler = &scheduler_named(needed(arguments, "scheduler"), "--scheduler");
    SchedulerSettings& settings = setup.settings;
    settings = setup.scheduler->defaults;
    const auto override_with = [&](const char* name, std::uint32_t& limit, double most) {
        if (const auto number = whole_number(arguments, name, {1, most})) limit = static_cast<std::uint32_t>(*number);
    };
    override_with("max-sequences", settings.max_sequences, 1e6);
    override_with("max-step-tokens", settings.max_step_tokens, 1e9);
    override_with("kv-block-tokens", settings.block_tokens, 4096);
    needed(arguments, "kv-blocks");
    if (const auto share = arguments.value("watermark")) {
        settings.watermark = parse_number(*share, "--watermark");
        if (!(settings.watermark >= 0 && settings.watermark <= 0.5))
            throw InputError("--watermark", "expected a share from 0 to 0.5, got " + in_quotes(*share));
    }
    question.tables = std::make_unique<TabulatedTimer>(folder, layers);
    setup.timer = question.tables.get();
    setup.load = load_of(arguments);
    question.think_time = Seconds(setup.load.think_time.mean());
    setup.load.slo = promises_of(arguments);
    question.subject =
        fmt::format("Costs tabulated in {}, {} layers, scheduler {}", folder, layers, *arguments.value("scheduler"));
}

}  // namespace plimsoll
