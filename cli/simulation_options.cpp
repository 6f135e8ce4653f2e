#include "cli/simulation_options.hpp"

#include "cli/scenario_options.hpp"
#include "simulator/load_plan.hpp"
#include "simulator/router.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// Kinds of arrivals that need no more than a rate (and a cv).
const std::vector<std::string>& arrival_kinds() {
    static const std::vector<std::string> kinds{"constant", "gamma", "poisson", "weibull"};
    return kinds;
}

std::vector<Option> engine_options() {
    return {
        {.name = "cost-tables",
         .value = "DIR",
         .help = "time steps by the tables linear.csv, attn_decode.csv and attn_prefill.csv of a folder, without a "
                 "scenario",
         .completes = "directories"},
        {.name = "layers", .value = "N", .help = "layers of the model that the tables are of"},
        {.name = "scheduler",
         .value = "NAME",
         .help = "rule of the engine, instead of its own",
         .choices = schedulers().names(),
         .completes = "schedulers"},
        {.name = "max-step-tokens", .value = "N", .help = "tokens of a step, or of a prefill that runs alone"},
        {.name = "kv-blocks", .value = "N", .help = "KV blocks of a replica"},
        {.name = "kv-block-tokens", .value = "N", .help = "tokens of a KV block"},
        {.name = "watermark", .value = "F", .help = "share of the KV blocks that admission keeps free"},
        {.name = "padded-prefill",
         .help = "vllm-v0: count requests x longest prompt against the tokens of a prefill, as early versions did"},
        {.name = "replicas", .value = "N", .help = "instances behind a router", .fallback = "1"},
        {.name = "router",
         .value = "NAME",
         .help = "how requests are given to replicas",
         .choices = routers().names(),
         .fallback = "round-robin",
         .completes = "routers"},
    };
}

std::vector<Option> run_options() {
    return {
        {.name = "arrivals",
         .value = "NAME",
         .help = "law of the times between requests of a rate",
         .choices = arrival_kinds(),
         .fallback = "poisson"},
        {.name = "cv", .value = "F", .help = "gamma, weibull: standard deviation of these times over their mean"},
        {.name = "highest-load",
         .help = "search the most users, or the highest rate, that keep the promises, and simulate that load"},
        {.name = "requests",
         .value = "N",
         .help = "a run ends when so many requests are answered or refused; 100000 if neither this nor --duration is "
                 "given, all of a file"},
        {.name = "duration", .value = "TIME", .help = "simulated time after which a run ends, such as 1h"},
        {.name = "warm-up",
         .value = "N",
         .help = "requests that are not counted at the start, 'none', or 'auto': found in the run's own course (auto "
                 "if absent; none for a file or a finite queue)"},
        {.name = "seed", .value = "N", .help = "of all that is drawn", .fallback = "1"},
        {.name = "replications", .value = "N", .help = "independent runs", .fallback = "1"},
        {.name = "threads", .value = "N", .help = "runs at the same time; the machine's cores if absent"},
        {.name = "requests-out",
         .value = "FILE",
         .help = "write a CSV row for each request (of the first replication)",
         .completes = "files"},
        {.name = "trace-out",
         .value = "FILE",
         .help = "write the first replication as Chrome trace events, for Perfetto",
         .completes = "files"},
        {.name = "series-out",
         .value = "FILE",
         .help = "write the course of the first replication in at most 512 intervals as CSV",
         .completes = "files"},
        {.name = "timing", .help = "add wall time and requests per second"},
        {.name = "verbose", .help = "also the intervals of the percentiles and the limits of the engine"},
    };
}

}  // namespace

std::vector<Option> simulation_options() {
    std::vector<Option> options;
    for (Option option : scenario_options()) {
        if (option.name == "users")
            option.help = "users of the simulated replicas together; their share of the plan's load if absent";
        if (option.name == "rate")
            option.help = "requests that arrive at the simulated replicas together, such as 12/s";
        if (option.name == "workload")
            option.help =
                "prompt and output lengths by name, or a recorded workload with its arrivals: FILE.csv, FILE.jsonl";
        options.push_back(std::move(option));
    }
    for (const auto& part : {engine_options(), run_options()}) options.insert(options.end(), part.begin(), part.end());
    return options;
}

const std::vector<std::string>& options_beside_tables() {
    static const std::vector<std::string> names{"users",         "rate",          "think-time",   "workload",
                                                "prompt-tokens", "output-tokens", "ttft",         "tpot",
                                                "e2e",           "statistic",     "max-sequences"};
    return names;
}

bool is_trace_file(const std::string& workload) {
    return workload.ends_with(".csv") || workload.ends_with(".jsonl");
}

}  // namespace plimsoll
