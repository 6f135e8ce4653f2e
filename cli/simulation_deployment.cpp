#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "cli/plan_document.hpp"
#include "cli/scenario_options.hpp"
#include "cli/simulation_options.hpp"
#include "cli/simulation_question.hpp"
#include "model/base/units_text.hpp"
#include "model/capacity/forecaster.hpp"
#include "model/capacity/planner.hpp"
#include "model/cost/split.hpp"

namespace plimsoll {
namespace {

/// The scenario that is planned and, where options give the load of the replicas, the one that is simulated.
struct Questions {
    Scenario planned, asked;
    SimulationTerms terms;
    bool given = false;  ///< the load, by --users or --rate
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

/// The fields that a load of the other kind has, with the options that give them.
struct LoadField {
    const char *path, *option;
};
constexpr std::array<LoadField, 5> fields_of_rates{{{"load.rate", "rate"},
                                                    {"load.arrivals", "arrivals"},
                                                    {"load.cv", "cv"},
                                                    {"load.diurnal", "diurnal"},
                                                    {"load.spikes", "spikes"}}};
constexpr std::array<LoadField, 5> fields_of_users{{{"load.users", "users"},
                                                    {"load.think_time", "think-time"},
                                                    {"load.active_share", "active-share"},
                                                    {"load.drain", ""},
                                                    {"load.protocol", "protocol"}}};

/// A load given in the place of a file's takes the other kind's fields back.
Arguments with_only_load_given(Arguments arguments, bool from_file) {
    if (!from_file) return arguments;
    std::vector<std::string> settings;
    const auto take_fields_back = [&](const auto& fields) {
        for (const LoadField& field : fields)
            if (!arguments.given(field.option)) settings.push_back(std::string(field.path) + "=null");
    };
    if (arguments.given("users")) take_fields_back(fields_of_rates);
    if (arguments.given("rate")) take_fields_back(fields_of_users);
    for (const std::string& setting : arguments.values("set")) settings.push_back(setting);
    arguments.set("set", std::move(settings), true);
    return arguments;
}

/// The recording that the scenario names, beside its file.
void take_recording(const std::string& scenario, Questions& questions) {
    if (!questions.terms.recording) return;
    const RecordingTerms& recording = *questions.terms.recording;
    if (!questions.trace && recording.file.empty())
        throw InputError(recording.place, "there is no 'file', and no --workload FILE either");
    if (questions.trace) return;
    const std::filesystem::path path = std::filesystem::path(scenario).parent_path() / recording.file;
    questions.trace = std::make_shared<Trace>(read_trace(path.string()));
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
    Scenario& asked = questions.asked;
    asked = read_question(file, with_only_load_given(arguments, !file.empty()), catalog, &questions.terms);
    take_recording(file, questions);
    questions.planned = asked;
    if (!file.empty() && questions.given) {
        // What is given for the replicas is not what the file's share and peak were about.
        if (!arguments.given("active-share")) asked.load.active_share = 1.0;
        if (!arguments.given("peak-factor")) asked.load.peak_factor = 1.0;
        if (asked.load.drain && asked.load.drain->requests > 0 && !arguments.given("protocol"))
            asked.load.drain.reset();
        std::vector<std::string> settings;
        for (const std::string& setting : arguments.values("set"))
            if (!setting.starts_with("load.")) settings.push_back(setting);
        arguments.set("set", std::move(settings), true);
        take_back(arguments,
                  {"users", "rate", "think-time", "arrivals", "cv", "diurnal", "spikes", "sessions", "protocol"});
        SimulationTerms of_the_same_replicas;
        questions.planned = read_question(file, arguments, catalog, &of_the_same_replicas);
    }
    if (questions.trace && !asked.load.classes.empty())
        throw InputError("--workload", "a recorded workload and classes exclude each other");
    questions.planned.models.resize(1);
    return questions;
}

/// The best candidate, or where none keeps the promises that nearest to the bounds, or the first that fits.
std::optional<Candidate> choose(const Scenario& scenario, Catalog& catalog, SimulationQuestion& question) {
    const Plan planned = plan(scenario, catalog);
    if (const Answer* answer = best_answer(planned, scenario.models.front())) {
        if (scenario.slo.terms.empty() && planned.candidates.size() > 1)
            question.notes.emplace_back("Without promises this is the cheapest deployment that holds the model.");
        return answer->best;
    }
    if (const Answer* beyond = nearest_answer(planned, scenario.models.front())) {
        question.notes.push_back("Nothing keeps the promises within " + bounds_text(scenario) +
                                 "; this is the nearest to it: " + beyond->nearest->refusal->why + ".");
        return beyond->nearest;
    }
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

/// What the analytic model says of one replica under its share, where replicas are alike and the rate is steady.
void add_forecast(const Questions& questions, const Load& load, SimulationQuestion& question) {
    const Instance& instance = *question.cluster.instances.front();
    const Engine& engine = *question.cluster.engines.front();
    if (question.cluster.instances.size() > 1 || load.highest_factor() > 1.0) {
        question.notes.emplace_back(question.cluster.instances.size() > 1
                                        ? "No forecast: the analytic model is of replicas that are alike."
                                        : "No forecast: the analytic model is of a steady rate.");
        return;
    }
    MemoryBudget memory = instance.memory();
    if (const auto blocks = questions.terms.engine.kv_blocks)
        memory.kv_tokens = std::floor(static_cast<double>(*blocks) * (1.0 - engine.watermark)) * engine.block_tokens;
    question.workload = std::make_unique<Workload>(questions.asked.workload);
    if (largest_batch(memory, instance.deployment(), *question.workload) < 1.0) return;
    const LoadPlan& sent = question.setup.load;
    const bool one_think_time = sent.users > 0 && sent.think_time.mean() > 0;
    question.model = std::make_unique<InstanceModel>(instance.cost(), instance.deployment(), memory, *question.workload,
                                                     one_think_time ? std::optional(sent.think_time) : std::nullopt);
    forecast_load(question);
    for (const std::string& sentence : questions.asked.left_out)
        question.notes.push_back("Not in the forecast: " + sentence + ".");
}

std::string pool_text(const Deployment& d, std::size_t replicas, const std::string& does) {
    return fmt::format("{}{} on {}, {}, {} weights, {} (scheduler {})",
                       plural(static_cast<double>(replicas), "instance"), does, d.node->name, split_text(d),
                       to_string(d.weights), d.engine->name, d.engine->scheduler);
}

/// Several pools, or separate prefill and decode: the whole deployment.
std::string subject_of_pools(const SimulationQuestion& question, const SimulationTerms& terms) {
    std::string text = question.deployment->model->name;
    for (std::size_t i = 0; i < question.cluster.instances.size(); ++i) {
        const bool decodes = terms.split && i + 1 == question.cluster.instances.size();
        const std::size_t replicas = decodes               ? terms.split->decode.replicas
                                     : terms.pools.empty() ? terms.replicas
                                                           : terms.pools[i].replicas;
        text += (i == 0 ? ": " : "; ") + pool_text(question.cluster.instances[i]->deployment(), replicas,
                                                   decodes       ? " for decode"
                                                   : terms.split ? " for prefill"
                                                                 : "");
    }
    return text;
}

std::string subject_of(const SimulationQuestion& question, const Candidate& chosen, bool given) {
    const Deployment& d = *question.deployment;
    std::string text =
        fmt::format("{} on {}, {}, {} weights, {} (scheduler {}): {}", d.model->name, d.node->name, split_text(d),
                    to_string(d.weights), d.engine->name, d.engine->scheduler, plural(question.front(), "instance"));
    if (!given && chosen.nodes_needed > 0)
        text += fmt::format(" of {} on {}", to_text(Cell::count(chosen.deployment.instances_on(chosen.nodes_needed))),
                            plural(chosen.nodes_needed, "node"));
    return text;
}

/// Arrivals or lengths of a recording in the place of the load's.
void put_over(const Arguments& arguments, const Questions& questions, LoadPlan& load) {
    if (!questions.trace) return;
    load.trace = questions.trace;
    if (questions.terms.recording) load.trace_speed = questions.terms.recording->speed;
    if (questions.given || questions.trace->arrival.empty()) return;
    for (const char* name : {"arrivals", "cv", "diurnal", "spikes", "sessions", "protocol"})
        if (arguments.given(name)) throw InputError(std::string("--") + name, "says nothing about recorded arrivals");
    load.kind = "trace";
    load.users = 0;
    load.rate = PerSecond{};
}

}  // namespace

LoadTotals totals_of(const LoadPlan& load) {
    LoadTotals totals{static_cast<double>(load.users), load.rate.value()};
    if (load.kind == "sessions") totals.requests_per_s *= mean_turns(load.session);
    for (const LoadPlan& part : load.classes) {
        const LoadTotals of_part = totals_of(part);
        totals.users += of_part.users;
        totals.requests_per_s += of_part.requests_per_s;
    }
    return totals;
}

void forecast_load(SimulationQuestion& question) {
    if (!question.model) return;
    const LoadTotals load = totals_of(question.setup.load);
    const double replicas = question.front();
    Forecaster forecaster(*question.model);
    if (load.users > 0)
        question.forecast = forecaster.closed(static_cast<std::size_t>(std::ceil(load.users / replicas)),
                                              question.think_time, Detail::percentiles);
    else
        question.forecast = forecaster.open(PerSecond(load.requests_per_s / replicas), Detail::percentiles);
}

void read_deployment(const Arguments& arguments, Session& session, SimulationQuestion& question) {
    if (arguments.given("layers")) throw InputError("--layers", "is for --cost-tables");
    const Questions questions = read_questions(arguments, session.catalog());
    const Scenario& asked = questions.asked;
    const std::optional<Candidate> chosen = choose(questions.planned, session.catalog(), question);
    if (!chosen) return;
    question.scenario_json = questions.planned.resolved_json;
    question.assumptions = asked.assumptions;
    question.cluster = simulated_cluster(chosen->deployment, questions.terms, &asked.workload);
    question.deployment = question.cluster.instances.front()->deployment();
    question.setup = question.cluster.setup;
    const Deployment& one = chosen->deployment;
    const double instances = one.instances_on(std::max(one.hosts_per_instance, chosen->nodes_needed));
    // Pools stand for the whole deployment, and get the whole load.
    const bool all = questions.given || questions.terms.whole();
    const Load load = asked.load.part(all ? 1.0 : question.front() / instances);
    question.think_time = Seconds(asked.load.think_time.mean());
    const auto asked_output = question.cluster.engines.front()->reserved_output_tokens.value_or(0);
    question.setup.load = load_plan(load, asked.sent, 1, asked.slo, static_cast<std::uint32_t>(asked_output));
    put_over(arguments, questions, question.setup.load);
    if (!questions.trace) add_forecast(questions, load, question);
    question.subject = questions.terms.whole() ? subject_of_pools(question, questions.terms)
                                               : subject_of(question, *chosen, all || questions.trace != nullptr);
}

}  // namespace plimsoll
