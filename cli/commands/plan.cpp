#include <algorithm>
#include <thread>

#include "cli/command.hpp"
#include "cli/plan_document.hpp"
#include "cli/scenario_options.hpp"
#include "cli/session.hpp"
#include "model/capacity/planner.hpp"
#include "scenarios/referee.hpp"

namespace plimsoll {
namespace {

RefereeSettings referee_settings(const Arguments& arguments) {
    const std::string level = *arguments.value("referee");
    RefereeSettings settings;
    settings.level = level == "none" ? RefereeLevel::none : level == "full" ? RefereeLevel::full : RefereeLevel::fast;
    settings.seed = static_cast<std::uint64_t>(*arguments.integer("seed", {0, 1e9}));
    const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    settings.threads = static_cast<std::uint32_t>(arguments.integer("threads", {1, 1024}).value_or(cores));
    return settings;
}

Document run(const Arguments& arguments, Session& session) {
    const Scenario scenario = read_question(arguments.value("SCENARIO").value_or(""), arguments, session.catalog());
    const RefereeSettings settings = referee_settings(arguments);
    Plan planned = plan(scenario, session.catalog(), settings.threads);
    referee(scenario, settings, planned);
    return plan_document(scenario, planned, {.verbose = arguments.given("verbose"), .all = arguments.given("all")});
}

}  // namespace

void register_plan(Registry<Command>& registry) {
    Command command{
        .summary = "How many nodes a load needs, at what cost, and what limits them",
        .description =
            "Tries every legal way of serving each model on each node type and keeps the cheapest that keeps "
            "the promises; the simulator then judges the best again, which is shown beside. Options lie over the "
            "fields of the scenario file, or state the whole question "
            "without one. Where --max-nodes or --max-cost is too little, the answer is the most users that it carries.",
        .examples = {"plimsoll plan scenarios/chat-10k-users.json",
                     "plimsoll plan --model llama-13b --node a100-40gb-sxm-8 --engine vllm-v1 --users 10000 "
                     "--think-time 30s --workload chat --ttft 3.15s --tpot 100ms",
                     "plimsoll plan scenarios/chat-10k-users.json --max-nodes 25 --max-cost 60USD/h"},
        .positionals = {{.name = "SCENARIO", .help = "a scenario file", .required = false, .completes = "files"}},
        .options = scenario_options(),
        .run = run};
    command.options.push_back({.name = "referee",
                               .value = "LEVEL",
                               .help = "what the simulator judges again: nothing, the best of each answer, or also "
                                       "the runners-up near it",
                               .choices = {"none", "fast", "full"},
                               .fallback = "fast"});
    command.options.push_back({.name = "seed", .value = "N", .help = "of the simulated runs", .fallback = "1"});
    command.options.push_back(
        {.name = "threads", .value = "N", .help = "runs at the same time; the machine's cores if absent"});
    command.options.push_back({.name = "verbose", .help = "also runners-up, tails, memory and sources"});
    command.options.push_back({.name = "all", .help = "also every candidate, with why it fails"});
    registry.add("plan", std::move(command));
}

}  // namespace plimsoll
