#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "cli/plan_document.hpp"
#include "cli/scenario_options.hpp"
#include "cli/simulation_options.hpp"
#include "cli/simulation_question.hpp"
#include "model/base/units_text.hpp"
#include "model/capacity/forecaster.hpp"
#include "model/capacity/planner.hpp"

namespace plimsoll {
namespace {

/// The scenario that is planned: the file's own load where options give that of the replicas.
struct Questions {
    Scenario planned;
    Load load;           ///< of the replicas together where `given`, otherwise of all nodes
    bool given = false;  ///< by --users or --rate
    std::shared_ptr<const Trace> trace;
};

void take_back(Arguments& arguments, std::initializer_list<const char*> names) {
    for (const char* name : names) arguments.set(name, {}, false);
}

/// A recorded workload in place of a named one: a plan without a file takes its mean lengths.
void take_trace(Arguments& arguments, bool from_file, Questions& questions) {
    const auto workload = arguments.value("workload");
    if (!workload || !is_trace_file(*workload)) return;
    questions.trace = std::make_shared<Trace>(read_trace(*workload));
    take_back(arguments, {"workload"});
    if (from_file || arguments.given("prompt-tokens")) return;
    arguments.set("prompt-tokens", {fmt::format("{}", questions.trace->mean_prompt())}, true);
    arguments.set("output-tokens", {fmt::format("{}", questions.trace->mean_output())}, true);
}

/// A load given in the place of a file's takes the other kind's fields back.
Arguments with_only_load_given(Arguments arguments, bool from_file) {
    if (!from_file) return arguments;
    std::vector<std::string> settings = arguments.values("set");
    if (arguments.given("users")) settings.insert(settings.begin(), "load.rate=null");
    if (arguments.given("rate"))
        settings.insert(settings.begin(),
                        {"load.users=null", "load.think_time=null", "load.active_share=null", "load.drain=null"});
    arguments.set("set", std::move(settings), true);
    return arguments;
}

Questions read_questions(Arguments arguments, Catalog& catalog) {
    Questions questions;
    const std::string file = arguments.value("SCENARIO").value_or("");
    take_trace(arguments, !file.empty(), questions);
    questions.given = arguments.given("users") || arguments.given("rate");
    if (file.empty() && !questions.given && questions.trace && !questions.trace->arrival.empty()) {
        const double rate = std::max(questions.trace->rate().value(), 1e-6);
        arguments.set("rate", {fmt::format("{} /s", rate)}, true);
    }
    if (questions.given && file.empty() && !arguments.given("instances")) arguments.set("instances", {"1"}, true);
    Scenario asked = read_question(file, with_only_load_given(arguments, !file.empty()), catalog);
    questions.load = asked.load;
    if (!file.empty() && questions.given) {
        // What is given for the replicas is not what the file's share and peak were about.
        if (!arguments.given("active-share")) questions.load.active_share = 1.0;
        if (!arguments.given("peak-factor")) questions.load.peak_factor = 1.0;
        questions.load.drain.reset();
        take_back(arguments, {"users", "rate", "think-time"});
        asked = read_question(file, arguments, catalog);
    }
    asked.models.resize(1);
    questions.planned = std::move(asked);
    return questions;
}

/// The best candidate, or where none keeps the promises the first that fits.
std::optional<Candidate> choose(const Scenario& scenario, Catalog& catalog, SimulationQuestion& question) {
    const Plan planned = plan(scenario, catalog);
    if (const Answer* answer = best_answer(planned, scenario.models.front())) return answer->best;
    for (const Candidate& candidate : planned.candidates)
        if (candidate.largest_batch >= 1.0) {
            question.notes.push_back(
                "No deployment keeps the promises; this is the first that fits: " + candidate.refusal->why + ".");
            return candidate;
        }
    question.refusal = scenario.models.front()->name + ": nothing fits";
    if (!planned.candidates.empty()) question.refusal += ": " + planned.candidates.front().refusal->why;
    return std::nullopt;
}

/// The deployment's engine with the options over it.
std::unique_ptr<Engine> engine_with_options(const Engine& engine, const Arguments& arguments) {
    auto changed = std::make_unique<Engine>(engine);
    if (const auto name = arguments.value("scheduler")) changed->scheduler = *name;
    int& budget = engine.scheduling == Scheduling::chunked ? changed->max_step_tokens : changed->max_prefill_tokens;
    budget = arguments.integer("max-step-tokens", {1, 1e9}).value_or(budget);
    changed->block_tokens = arguments.integer("kv-block-tokens", {1, 4096}).value_or(engine.block_tokens);
    if (const auto share = arguments.value("watermark")) changed->watermark = parse_number(*share, "--watermark");
    if (!(changed->watermark >= 0 && changed->watermark <= 0.5))
        throw InputError("--watermark", "expected a share from 0 to 0.5");
    return changed;
}

/// The load of so many replicas, out of `instances` over which the whole is spread.
LoadPlan share_of(const Load& load, const Workload& workload, double replicas, double instances) {
    LoadPlan share = load_plan(load, workload, 1);
    const double part = replicas / instances;
    if (load.kind == Load::Kind::open) {
        share.rate = load.peak_rate() * part;
        return share;
    }
    // As the plan counts: the fullest instance.
    share.users = static_cast<std::uint32_t>(std::max(1.0, std::ceil(load.concurrent_users() * part - 1e-9)));
    if (load.drain)
        share.requests = static_cast<std::uint64_t>(std::max(1.0, std::ceil(load.drain->requests * part - 1e-9)));
    return share;
}

void add_forecast(const Arguments& arguments, const Workload& workload, std::uint32_t replicas,
                  SimulationQuestion& question) {
    const LoadPlan& load = question.setup.load;
    MemoryBudget memory = question.instance->memory();
    const Engine& engine = *question.engine;
    if (const auto blocks = whole_number(arguments, "kv-blocks", {1, 1e12}))
        memory.kv_tokens = std::floor(static_cast<double>(*blocks) * (1.0 - engine.watermark)) * engine.block_tokens;
    if (largest_batch(memory, question.instance->deployment(), workload) < 1.0) return;
    question.workload = std::make_unique<Workload>(workload);
    question.model = std::make_unique<InstanceModel>(question.instance->cost(), question.instance->deployment(), memory,
                                                     *question.workload);
    question.setup.replicas = replicas;
    forecast_load(question);
    if (load.kind == "shared-queue")
        question.notes.emplace_back("The forecast is of the steady state; the simulated queue has a ramp and an end.");
    if (arguments.given("arrivals") && *arguments.value("arrivals") != "poisson")
        question.notes.emplace_back("The forecast is for Poisson arrivals.");
}

std::string subject_of(const Deployment& d, std::uint32_t replicas, const Candidate& chosen, bool given) {
    std::string text = fmt::format("{} on {}, TP{}", d.model->name, d.node->name, d.tensor_parallel);
    if (d.pipeline_parallel > 1) text += fmt::format(" PP{}", d.pipeline_parallel);
    text += fmt::format(", {} weights, {} (scheduler {}): {} instance{}", to_string(d.weights), d.engine->name,
                        d.engine->scheduler, replicas, replicas == 1 ? "" : "s");
    if (!given && chosen.nodes_needed > 0)
        text += fmt::format(" of {} on {} node{}", to_text(Cell::count(chosen.nodes_needed * d.instances_per_node)),
                            to_text(Cell::count(chosen.nodes_needed)), chosen.nodes_needed == 1 ? "" : "s");
    return text;
}

}  // namespace

void forecast_load(SimulationQuestion& question) {
    if (!question.model) return;
    const LoadPlan& load = question.setup.load;
    const double replicas = question.setup.replicas;
    Forecaster forecaster(*question.model);
    if (load.users > 0)
        question.forecast = forecaster.closed(static_cast<std::size_t>(std::ceil(load.users / replicas)),
                                              question.think_time, Detail::percentiles);
    else
        question.forecast = forecaster.open(load.rate / replicas, Detail::percentiles);
}

void read_deployment(const Arguments& arguments, Session& session, SimulationQuestion& question) {
    for (const char* name : {"layers"})
        if (arguments.given(name)) throw InputError(std::string("--") + name, "is for --cost-tables");
    const Questions questions = read_questions(arguments, session.catalog());
    const Scenario& scenario = questions.planned;
    const std::optional<Candidate> chosen = choose(scenario, session.catalog(), question);
    if (!chosen) return;
    question.scenario_json = scenario.resolved_json;
    Deployment deployment = chosen->deployment;
    question.engine = engine_with_options(*deployment.engine, arguments);
    deployment.engine = question.engine.get();
    question.instance = std::make_unique<Instance>(deployment);
    question.deployment = deployment;
    question.setup = SimulationSetup(*question.instance);

    const auto replicas = static_cast<std::uint32_t>(whole_number(arguments, "replicas", {1, 100000}).value_or(1));
    const double instances = std::max(1, chosen->nodes_needed) * deployment.instances_per_node;
    LoadPlan& load = question.setup.load;
    load = share_of(questions.load, scenario.workload, replicas, questions.given ? replicas : instances);
    load.max_output = static_cast<std::uint32_t>(question.engine->reserved_output_tokens.value_or(0));
    question.think_time = Seconds(questions.load.think_time.mean());
    load.slo = scenario.slo;
    if (questions.trace) {
        load.trace = questions.trace;
        if (!questions.given && !questions.trace->arrival.empty()) {
            load.kind = "trace";
            load.users = 0;
            load.rate = PerSecond{};
        }
    }
    if (!questions.trace) add_forecast(arguments, scenario.workload, replicas, question);
    question.subject = subject_of(deployment, replicas, *chosen, questions.given || questions.trace != nullptr);
}

}  // namespace plimsoll
