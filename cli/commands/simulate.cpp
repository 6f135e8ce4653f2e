#include <chrono>

#include "cli/command.hpp"
#include "cli/interrupt.hpp"
#include "cli/progress.hpp"
#include "cli/simulation_document.hpp"
#include "cli/simulation_files.hpp"
#include "cli/simulation_options.hpp"
#include "cli/simulation_question.hpp"
#include "cli/simulation_search.hpp"

namespace plimsoll {
namespace {

constexpr int exit_infeasible = 3;

Document refused(const std::string& why) {
    Document document;
    document.items.emplace_back(Paragraph{why + ".", "refusal"});
    document.exit_code = exit_infeasible;
    return document;
}

/// What each replication tells besides what is always measured.
class Watchers {
  public:
    Watchers(const SimulationQuestion& question, SimulationFiles& files, Progress& progress)
        : groups_(question.replications) {
        files.watch(groups_.front());
        for (std::uint32_t i = 0; i < question.replications; ++i)
            if (Observer* counter = progress.of_run(i)) groups_[i].add(*counter);
    }
    [[nodiscard]] Observer* of_run(std::uint32_t index) {
        return groups_[index].size() > 0 ? &groups_[index] : nullptr;
    }

  private:
    std::vector<ObserverGroup> groups_;
};

Document run(const Arguments& arguments, Session& session) {
    SimulationQuestion question = read_simulation(arguments, session);
    if (!question.refusal.empty()) return refused(question.refusal);
    SimulationFiles files(arguments);
    std::chrono::steady_clock::time_point start;
    SimulationResult result;
    {
        const InterruptFlag interrupted;
        question.setup.stop = &interrupted.raised();
        if (arguments.given("highest-load")) {
            find_highest_load(session.progress(), question);
            const SearchResult& found = question.highest->found;
            if (!(found.highest > 0) && !found.interrupted)
                return refused("In the simulation no load keeps the promises");
        }
        start = std::chrono::steady_clock::now();
        Progress progress(session.progress(), question.replications, question.setup.limits);
        Watchers watchers(question, files, progress);
        result = combined(simulate_replications(question.setup, question.replications, question.threads,
                                                [&](std::uint32_t index) { return watchers.of_run(index); }));
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    files.complete();
    SimulationDetail detail;
    detail.verbose = arguments.given("verbose");
    if (arguments.given("timing")) detail.wall = Seconds(wall.count());
    Document document = simulation_document(question, result, detail);
    if (result.interrupted) document.exit_code = exit_interrupted;
    return document;
}

}  // namespace

void register_simulate(Registry<Command>& registry) {
    registry.add(
        "simulate",
        {.summary = "Runs a deployment request by request: tails, bursts and schedulers, beside the forecast",
         .description =
             "Simulates instances of the best deployment of a scenario's first model under their share of its load, "
             "or under --users, --rate or a recorded workload; or an engine whose steps are timed by tables. Promises "
             "such as --ttft are needed for --highest-load alone; with them goodput is counted. Ctrl-C "
             "ends it with what it has counted.",
         .examples =
             {"plimsoll simulate scenarios/chat-10k-users.json --requests 20000",
              "plimsoll simulate --model llama-2-7b --node a100-80gb-sxm-8 --engine vllm-v0 --rate 3/s "
              "--workload chat --requests 10000 --replications 4",
              "plimsoll simulate scenarios/chat-10k-users.json --highest-load --requests 20000",
              "plimsoll simulate --cost-tables tests/cli/tables --layers 4 --scheduler sarathi "
              "--max-sequences 8 --max-step-tokens 64 --kv-blocks 100 --workload tests/cli/tables/workload.csv"},
         .positionals = {{.name = "SCENARIO", .help = "a scenario file", .required = false, .completes = "files"}},
         .options = simulation_options(),
         .run = run});
}

}  // namespace plimsoll
