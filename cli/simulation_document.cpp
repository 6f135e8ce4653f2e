#include "cli/simulation_document.hpp"

#include <cmath>

#include <fmt/format.h>

#include "cli/plan_document.hpp"
#include "cli/simulation_search.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

std::string counted(std::uint64_t count, std::string_view noun) {
    return plural(static_cast<double>(count), noun);
}

std::string mixture_text(const SimulationQuestion& question) {
    std::string text;
    for (const LoadPlan& part : question.setup.load.classes)
        text += (text.empty() ? "" : ", ") + part.class_name + " " +
                (part.users > 0 ? counted(part.users, "user")
                                : fmt::format("{} {}/s", plain_number(part.rate.value()),
                                              part.kind == "sessions" ? "sessions" : "requests"));
    return text;
}

std::string load_text(const SimulationQuestion& question) {
    const LoadPlan& load = question.setup.load;
    std::string text;
    if (load.kind == "mixture")
        text = mixture_text(question);
    else if (load.kind == "trace")
        text = counted(load.trace->size(), "recorded request");
    else if (load.users > 0)
        text = counted(load.users, "user") + ", thinking " + to_text(question.think_time);
    else
        text = fmt::format("{} {}/s, {} arrivals", plain_number(load.rate.value()),
                           load.kind == "sessions" ? "sessions" : "requests",
                           load.kind == "sessions" ? "poisson" : load.kind);
    if (load.kind == "sessions") text += fmt::format(", {} turns each", plain_number(mean_turns(load.session)));
    if (load.kind == "one-each") text += ", one request each";
    if (load.kind == "shared-queue") text += ", a queue of " + counted(load.requests, "request");
    return text;
}

std::string headline(const SimulationQuestion& question, const SimulationResult& result) {
    return fmt::format("{}; {}. {} and {} in {} simulated{}.", question.subject, load_text(question),
                       counted(result.counts.requests, "request"), counted(result.counts.iterations, "engine step"),
                       to_text(result.counts.end),
                       question.replications > 1 ? fmt::format(", {} replications", question.replications) : "");
}

Facts deployment_facts(const Deployment& d) {
    return {"deployment",
            "",
            {{"model", "", d.model->name},
             {"node", "", d.node->name},
             {"gpu", "", d.gpu->name},
             {"engine", "", d.engine->name},
             {"weights", "", to_string(d.weights)},
             {"kv_cache", "", to_string(d.kv)},
             {"tensor_parallel", "", Cell::count(d.tensor_parallel)},
             {"pipeline_parallel", "", Cell::count(d.pipeline_parallel)},
             {"expert_parallel", "", Cell::count(d.expert_parallel)},
             {"attention_data_parallel", "", Cell::count(d.attention_data_parallel)},
             {"context_parallel", "", Cell::count(d.context_parallel)},
             {"hosts_per_instance", "", Cell::count(d.hosts_per_instance)},
             {"instances_per_node", "", Cell::count(d.instances_per_node)}}};
}

std::string scheduler_name(const SimulationQuestion& question) {
    for (const auto& [name, kind] : schedulers())
        if (&kind == question.setup.scheduler) return name;
    return "";
}

Facts setup_facts(const SimulationQuestion& question, bool verbose) {
    const SimulationSetup& setup = question.setup;
    const SchedulerSettings& settings = setup.settings;
    Facts facts{"setup",
                verbose ? "Limits" : "",
                {{"scheduler", "scheduler", scheduler_name(question)},
                 {"max_sequences", "sequences", Cell::count(settings.max_sequences)},
                 {"max_step_tokens", "tokens a step", Cell::count(settings.max_step_tokens)},
                 {"kv_blocks", "KV blocks", Cell::count(static_cast<double>(settings.kv_blocks))},
                 {"kv_block_tokens", "tokens a block", Cell::count(settings.block_tokens)},
                 {"watermark", "watermark", Cell::fraction(settings.watermark)},
                 {"replicas", "replicas", Cell::count(setup.all_replicas())},
                 {"router", "router", question.front() > 1 ? Cell(setup.router) : Cell()},
                 {"seed", "seed", Cell::count(static_cast<double>(setup.load.seed))},
                 {"replications", "replications", Cell::count(question.replications)}}};
    if (!verbose)
        for (auto& fact : facts.facts) fact.title.clear();
    return facts;
}

Facts load_facts(const SimulationQuestion& question) {
    const LoadPlan& load = question.setup.load;
    const LoadTotals totals = totals_of(load);
    const bool users = totals.users > 0, rate = totals.requests_per_s > 0, mixed = !load.classes.empty();
    const double prompt = load.trace ? load.trace->mean_prompt() : load.prompt.mean();
    const double output = load.trace ? load.trace->mean_output() : load.output.mean();
    return {"load",
            "",
            {{"kind", "", load.kind},
             {"users", "", users ? Cell::count(totals.users) : Cell()},
             {"think_time_s", "", users ? Cell(question.think_time) : Cell()},
             {"rate_per_s", "", rate ? Cell::number(totals.requests_per_s) : Cell()},
             {"prompt_tokens_mean", "", mixed ? Cell() : Cell::number(prompt)},
             {"output_tokens_mean", "", mixed ? Cell() : Cell::number(output)}}};
}

Facts simulated_facts(const SimulationResult& result) {
    const Report& report = result.report;
    const auto count = [](std::uint64_t n) { return Cell::count(static_cast<double>(n)); };
    return {"simulated",
            "",
            {{"requests", "", count(result.counts.requests)},
             {"refused", "", count(result.counts.refused)},
             {"timed_out", "", count(result.counts.timed_out)},
             {"lost", "", count(result.counts.lost)},
             {"retries", "", count(result.counts.retries)},
             {"resubmitted", "", count(result.counts.resubmitted)},
             {"failures", "", count(result.counts.failures)},
             {"transfers", "", count(result.counts.transfers)},
             {"transferred_tokens", "", count(result.counts.transferred_tokens)},
             {"iterations", "", count(result.counts.iterations)},
             {"events", "", count(result.counts.events)},
             {"end_s", "", result.counts.end},
             {"counted_requests", "", count(report.finished)},
             {"warm_up_requests", "", count(report.warm_up_requests)},
             {"counted_from_s", "", report.from},
             {"unsettled", "", Cell::flag(report.unsettled)}}};
}

void add_timing(const SimulationResult& result, Seconds wall, std::vector<Item>& items) {
    const double seconds = wall.value();
    const auto per_second = [&](std::uint64_t n) { return Cell::number(static_cast<double>(n) / seconds); };
    items.emplace_back(Facts{"timing",
                             "",
                             {{"wall_s", "wall time", wall},
                              {"requests_per_s", "requests /s of wall time", per_second(result.counts.requests)},
                              {"iterations_per_s", "steps /s of wall time", per_second(result.counts.iterations)}}});
}

/// What befell replicas and clients, and what was sent between replicas.
std::vector<std::string> happenings(const ClusterCounts& counts) {
    std::vector<std::string> lines;
    if (counts.failures > 0) {
        std::string text = "Replicas failed " + counted(counts.failures, "time");
        if (counts.resubmitted > 0) text += "; " + counted(counts.resubmitted, "request") + " began again";
        lines.push_back(text + ".");
    }
    if (counts.retries > 0) lines.push_back("Clients tried again " + counted(counts.retries, "time") + ".");
    if (counts.transfers > 0)
        lines.push_back(fmt::format("KV was transferred {}, {} in all.", counted(counts.transfers, "time"),
                                    counted(counts.transferred_tokens, "token")));
    return lines;
}

/// What readers of the numbers should know of them.
Bullets remarks(const SimulationQuestion& question, const SimulationResult& result) {
    Bullets bullets{"notes", "", question.notes};
    const Report& report = result.report;
    auto& lines = bullets.lines;
    if (result.interrupted) lines.insert(lines.begin(), "Interrupted: this is what had been counted by then.");
    if (question.forecast && question.forecast->overloaded)
        lines.emplace_back("The forecast has no latencies: the load is more than can be served.");
    if (report.unsettled)
        lines.emplace_back("The run had not settled: it is too short, or the load is more than can be served.");
    else if (report.warm_up_requests > 0)
        lines.push_back("Left out as warm-up: the first " + counted(report.warm_up_requests, "request") + ".");
    const ClusterCounts& counts = result.counts;
    for (const auto& [count, what] : {std::pair{counts.refused, "Refused: "},
                                      {counts.timed_out, "Given up by their clients: "},
                                      {counts.lost, "Lost with a replica: "}})
        if (count > 0) lines.push_back(what + counted(count, "request") + ".");
    for (std::string& line : happenings(result.counts)) lines.push_back(std::move(line));
    std::string few;
    for (std::size_t q = 0; q < reported_quantiles.size(); ++q)
        if (report[Measure::ttft].percentiles[q].few)
            few += fmt::format("{}p{:.0f}", few.empty() ? "" : ", ", reported_quantiles[q] * 100.0);
    if (!few.empty() && report.finished > 0)
        lines.push_back(fmt::format("Too few requests for the {} of TTFT: less than ten lie beyond.", few));
    if (report[Measure::ttft].correlated)
        lines.emplace_back("The run is short against its own memory: the intervals are too narrow.");
    return bullets;
}

}  // namespace

Document simulation_document(const SimulationQuestion& question, const SimulationResult& result,
                             const SimulationDetail& detail) {
    Document document;
    auto& items = document.items;
    if (!question.scenario_json.empty()) items.emplace_back(RawJson{"scenario", question.scenario_json});
    items.emplace_back(Paragraph{headline(question, result)});
    add_highest_load(question, items);
    add_latencies(question, result.report, detail.verbose, items);
    add_figures(question, result.report, items);
    add_classes(question, result.report, items);
    items.emplace_back(Facts{"", "", {{"interrupted", "", Cell::flag(result.interrupted)}}});
    items.emplace_back(simulated_facts(result));
    if (question.deployment) items.emplace_back(deployment_facts(*question.deployment));
    items.emplace_back(setup_facts(question, detail.verbose));
    items.emplace_back(load_facts(question));
    if (detail.wall) add_timing(result, *detail.wall, items);
    items.emplace_back(
        Bullets{"assumptions", "Assumed, as nothing is said of it:", question.assumptions, detail.verbose});
    items.emplace_back(remarks(question, result));
    return document;
}

}  // namespace plimsoll
