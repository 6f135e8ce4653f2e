#include "cli/command.hpp"
#include "cli/plan_document.hpp"
#include "cli/scenario_options.hpp"
#include "cli/session.hpp"
#include "model/capacity/planner.hpp"

namespace plimsoll {
namespace {

Document run(const Arguments& arguments, Session& session) {
    const Scenario scenario = read_question(arguments.value("SCENARIO").value_or(""), arguments, session.catalog());
    return plan_document(scenario, plan(scenario, session.catalog()),
                         {.verbose = arguments.given("verbose"), .all = arguments.given("all")});
}

}  // namespace

void register_plan(Registry<Command>& registry) {
    Command command{
        .summary = "How many nodes a load needs, at what cost, and what limits them",
        .description =
            "Tries every legal way of serving each model on each node type and keeps the cheapest that keeps "
            "the promises. Options lie over the fields of the scenario file, or state the whole question "
            "without one.",
        .examples = {"plimsoll plan scenarios/chat-10k-users.json",
                     "plimsoll plan --model llama-13b --node a100-40gb-sxm-8 --engine vllm-v1 --users 10000 "
                     "--think-time 30s --workload chat --ttft 3.15s --tpot 100ms"},
        .positionals = {{.name = "SCENARIO", .help = "a scenario file", .required = false, .completes = "files"}},
        .options = scenario_options(),
        .run = run};
    command.options.push_back({.name = "verbose", .help = "also runners-up, tails, memory and sources"});
    command.options.push_back({.name = "all", .help = "also every candidate, with why it fails"});
    registry.add("plan", std::move(command));
}

}  // namespace plimsoll
