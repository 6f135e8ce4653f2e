#include "cli/simulation_options.hpp"

#include "cli/field_options.hpp"
#include "cli/scenario_options.hpp"
#include "simulator/load_plan.hpp"
#include "simulator/router.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

/// Kinds of arrivals that need no more than a rate (and a cv).
std::vector<std::string> arrival_kinds() {
    return {arrival_names.begin(), arrival_names.begin() + renewal_arrivals};
}

std::vector<FieldOption> engine_fields() {
    return {
        {{.name = "scheduler",
          .value = "NAME",
          .help = "rule of the engine, instead of its own",
          .choices = schedulers().names(),
          .completes = "schedulers"},
         "simulation.engine.scheduler",
         Form::text},
        {{.name = "max-step-tokens", .value = "N", .help = "tokens of a step, or of a prefill that runs alone"},
         "simulation.engine.max_step_tokens",
         Form::number},
        {{.name = "kv-blocks", .value = "N", .help = "KV blocks of a replica"},
         "simulation.engine.kv_blocks",
         Form::number},
        {{.name = "kv-block-tokens", .value = "N", .help = "tokens of a KV block"},
         "simulation.engine.kv_block_tokens",
         Form::number},
        {{.name = "watermark", .value = "F", .help = "share of the KV blocks that admission keeps free"},
         "simulation.engine.watermark",
         Form::number},
        {{.name = "padded-prefill",
          .help = "vllm-v0: count requests x longest prompt against the tokens of a prefill, as early versions did"},
         "simulation.engine.padded_prefill",
         Form::flag},
        {{.name = "preemption",
          .value = "WORD",
          .help = "vllm-v0: what becomes of requests that must make room",
          .choices = {"recompute", "swap"}},
         "simulation.preemption.mode",
         Form::text},
    };
}

std::vector<FieldOption> deployment_fields() {
    return {
        {{.name = "replicas", .value = "N", .help = "instances behind a router", .fallback = "1"},
         "simulation.replicas",
         Form::number},
        {{.name = "router",
          .value = "NAME",
          .help = "how requests are given to replicas",
          .choices = routers().names(),
          .fallback = "round-robin",
          .completes = "routers"},
         "simulation.router",
         Form::text},
        {{.name = "prefill-replicas", .value = "N", .help = "with --decode-replicas: the same as --replicas"},
         "simulation.replicas",
         Form::number},
        {{.name = "decode-replicas", .value = "N", .help = "further instances that decode for the others"},
         "simulation.disaggregation.decode.replicas",
         Form::number},
        {{.name = "kv-link", .value = "NAME", .help = "link that the KV goes over to them", .completes = "links"},
         "simulation.disaggregation.link",
         Form::text},
        {{.name = "mean-time-to-failure", .value = "TIME", .help = "of a replica, exponential, such as 7d"},
         "simulation.failures.mean_up",
         Form::text},
        {{.name = "mean-time-to-repair", .value = "TIME", .help = "of a failed one, exponential"},
         "simulation.failures.mean_down",
         Form::text},
        {{.name = "start-up", .value = "TIME", .help = "of a repaired one, before it takes requests"},
         "simulation.start_up",
         Form::text},
        {{.name = "patience", .value = "TIME", .help = "after which a client without a first token goes away"},
         "simulation.clients.patience",
         Form::text},
        {{.name = "retries", .value = "N", .help = "further attempts of clients that were refused or went away"},
         "simulation.clients.retries",
         Form::number},
    };
}

std::vector<FieldOption> load_fields() {
    return {
        {{.name = "arrivals",
          .value = "NAME",
          .help = "law of the times between requests of a rate",
          .choices = arrival_kinds(),
          .fallback = "poisson"},
         "load.arrivals",
         Form::text},
        {{.name = "cv", .value = "F", .help = "gamma, weibull: standard deviation of these times over their mean"},
         "load.cv",
         Form::number},
        {{.name = "diurnal", .value = "F", .help = "a rate that changes over the day, F times the mean at its peak"},
         "load.diurnal.peak",
         Form::number},
        {{.name = "spikes",
          .value = "KEY=VALUE,...",
          .help = "a rate that rises at the end of each period, such as period=1h,length=1min,factor=5"},
         "load.spikes",
         Form::members},
        {{.name = "sessions",
          .value = "TURNS",
          .help = "conversations of so many turns, such as 5 or geometric:mean=5: each turn sends all before it"},
         "load.sessions.turns",
         Form::text},
        {{.name = "protocol",
          .value = "NAME",
          .help = "what users do: go on for ever, drain a shared queue, or send one request each",
          .choices = {"steady", "shared-queue", "one-each"},
          .fallback = "steady"},
         "load.protocol",
         Form::text},
    };
}

std::vector<Option> table_options() {
    return {
        {.name = "cost-tables",
         .value = "DIR",
         .help = "time steps by the tables linear.csv, attn_decode.csv and attn_prefill.csv of a folder, without a "
                 "scenario",
         .completes = "directories"},
        {.name = "layers", .value = "N", .help = "layers of the model that the tables are of"},
    };
}

std::vector<Option> run_options() {
    return {
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
         .completes = "files",
         .written = true},
        {.name = "trace-out",
         .value = "FILE",
         .help = "write the first replication as Chrome trace events, for Perfetto",
         .completes = "files",
         .written = true},
        {.name = "series-out",
         .value = "FILE",
         .help = "write the course of the first replication in at most 512 intervals as CSV",
         .completes = "files",
         .written = true},
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
    const std::vector<Option> tables = table_options(), run = run_options();
    options.insert(options.end(), tables.begin(), tables.end());
    for (const FieldOption& entry : simulation_field_options()) options.push_back(entry.option);
    options.insert(options.end(), run.begin(), run.end());
    return options;
}

const std::vector<FieldOption>& simulation_field_options() {
    static const std::vector<FieldOption> options = [] {
        std::vector<FieldOption> all = engine_fields();
        for (const auto& part : {deployment_fields(), load_fields()}) all.insert(all.end(), part.begin(), part.end());
        return all;
    }();
    return options;
}

const std::vector<std::string>& options_beside_tables() {
    static const std::vector<std::string> names{"users",         "rate",          "think-time",    "workload",
                                                "prompt-tokens", "output-tokens", "ttft",          "tpot",
                                                "e2e",           "statistic",     "max-sequences", "set"};
    return names;
}

bool is_trace_file(const std::string& workload) {
    return workload.ends_with(".csv") || workload.ends_with(".jsonl");
}

}  // namespace plimsoll
