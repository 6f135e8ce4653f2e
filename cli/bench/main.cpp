#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "calibrate/cuda/benches.hpp"
#include "cli/bench/bench_run.hpp"
#include "cli/interrupt.hpp"
#include "model/base/error.hpp"

namespace {

using namespace plimsoll;

constexpr int exit_input = 2, exit_environment = 4;

int check_all(const std::vector<std::string>& only, bool rates) {
    int failed = 0;
    cuda::check_kernels(only, rates, [&](const cuda::CheckResult& result) {
        fmt::print("{}  {}: {}\n", result.passed ? "ok    " : "FAILED", result.what, result.found);
        failed += result.passed ? 0 : 1;
    });
    fmt::print("{} failed\n", failed);
    return failed == 0 ? 0 : 1;
}

void list_benches() {
    for (const auto& [name, bench] : cuda::benches()) fmt::print("{}: {}\n", name, bench.description);
}

int run(const BenchRun& options, bool check, bool rates) {
    if (cuda::device_count() == 0) {
        fmt::print(stderr,
                   "plimsoll_bench: no CUDA device and driver here. Run it on a machine with a GPU and give its "
                   "samples, or those of others, to 'plimsoll calibrate fit --from FILE'.\n");
        return exit_environment;
    }
    for (const auto& [name, value] : cuda::device_facts()) fmt::print("{}: {}\n", name, value);
    return check || rates ? check_all(options.only, rates) : measure_device(options);
}

}  // namespace

int main(int count, char** arguments) {
    end_when_interrupted();
    // What was said reaches a log even where the program is killed.
    static_cast<void>(std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ));
    CLI::App app{
        "Measures this machine's GPU: one CSV table of raw samples a bench, for 'plimsoll calibrate fit --from'.\n"
        "Example: plimsoll_bench --gpu h200-141gb-sxm --output samples"};
    BenchRun options;
    bool check = false, rates = false, list = false, plain = false;
    double budget_seconds = options.budget.value();
    options.gpu = "this-gpu";
    options.folder = "samples";
    options.data_directory = ".";
    app.add_flag("--check", check, "compare every kernel with double precision and measure nothing");
    app.add_flag("--rates", rates, "--check, and whether the attention kernels reach their rates");
    app.add_flag("--list", list, "print the benches");
    app.add_flag("--quick", options.quick, "the few points that a first fit needs");
    app.add_flag("--steps", options.steps, "time whole decoder steps, beside the sums of their kernels");
    app.add_flag("--no-wgmma", plain, "prefill attention without the products of warpgroups that Hopper has");
    app.add_option("--only", options.only, "names of benches")->delimiter(',');
    app.add_option("--models", options.models,
                   "models whose products are measured too: names of the library, paths of config.json files, or all")
        ->delimiter(',');
    app.add_option("--data", options.data_directory, "directory with scenarios/library")->capture_default_str();
    app.add_option("--gpu", options.gpu, "name of the GPU in hardware_db")->capture_default_str();
    app.add_option("--topology", options.topology, "how the GPUs are joined, for the collectives");
    app.add_option("--budget", budget_seconds,
                   "seconds after which no point is begun; --steps come first and take up to half")
        ->capture_default_str();
    app.add_option("--rounds", options.rounds, "how often to go over the points")->capture_default_str();
    app.add_option("--seed", options.seed, "of the order of the points")->capture_default_str();
    app.add_option("--output", options.folder, "directory to write to")->capture_default_str();
    try {
        app.parse(count, arguments);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? 0 : exit_input;
    }
    options.budget = Seconds(budget_seconds);
    try {
        if (list) return list_benches(), 0;
        if (plain) cuda::forbid_prefill_by_groups();
        return run(options, check, rates);
    } catch (const InputError& problem) {
        fmt::print(stderr, "plimsoll_bench: {}\n", problem.what());
        return exit_input;
    } catch (const std::exception& problem) {
        fmt::print(stderr, "plimsoll_bench: {}\n", problem.what());
        return exit_environment;
    }
}
