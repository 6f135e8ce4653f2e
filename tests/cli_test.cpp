#include <algorithm>

#include "cli/command.hpp"
#include "cli/help.hpp"
#include "tests/catch.hpp"
#include "tests/cli_run.hpp"

using cli::run;
using cli::shell;
using cli::words;

namespace {

/// Compares with tests/golden/<name>; writes it instead where PLIMSOLL_UPDATE_GOLDEN is set.
void check_golden(const std::string& name, const std::string& text) {
    const std::string path = "tests/golden/" + name;
    if (std::getenv("PLIMSOLL_UPDATE_GOLDEN")) std::ofstream(path, std::ios::binary) << text;
    INFO("golden file " << path << "; PLIMSOLL_UPDATE_GOLDEN=1 rewrites it");
    CHECK(cli::read(path) == text);
}

/// The lines below "Example:" of a help text, continued lines joined.
std::vector<std::string> examples_in(const std::string& help) {
    std::vector<std::string> examples;
    bool inside = false, continued = false;
    for (const std::string& line : cli::lines(help)) {
        if (line == "Example:" || line == "Examples:") {
            inside = true;
        } else if (inside && continued) {
            examples.back() += " " + line;
        } else if (inside) {
            examples.push_back(line);
        }
        continued = inside && line.ends_with(" \\");
        if (continued) examples.back().resize(examples.back().size() - 2);
    }
    return examples;
}

void check_widths(const std::string& text, std::size_t width) {
    for (const std::string& line : cli::lines(text)) {
        INFO(line);
        CHECK(line.size() <= width);
    }
}

}  // namespace

TEST_CASE("every example of every command's help runs") {
    for (const auto& [name, command] : plimsoll::commands()) {
        const cli::Result help = run(words(name + " --help"));
        CHECK(help.code == 0);
        check_widths(help.out, 80);
        const std::vector<std::string> examples = examples_in(help.out);
        CHECK(examples.size() == command.examples.size());
        CHECK_FALSE(examples.empty());
        for (const std::string& example : examples) {
            INFO(example);
            std::vector<std::string> arguments = words(example);
            REQUIRE(arguments.at(0) == "plimsoll");
            arguments.erase(arguments.begin());
            const cli::Result result = run(arguments, cli::shipped_data);
            INFO(result.errors);
            CHECK(result.code == 0);
            CHECK_FALSE(result.out.empty());
        }
    }
}

TEST_CASE("the page of the command line is what --help prints") {
    std::string page = "# Command line\n\nWhat `--help` prints; a test holds this page to it.\n\n```\n" +
                       plimsoll::program_help(100) + "```\n";
    for (const auto& [name, command] : plimsoll::commands())
        page += "\n## " + name + "\n\n```\n" + plimsoll::command_help(name, command, 100) + "```\n";
    check_golden("../../docs/command_line.md", page);
}

TEST_CASE("list and show print what they always printed") {
    check_golden("list.txt", run({"list"}).out);
    for (const char* kind : {"gpus", "nodes", "models", "engines", "workloads", "links", "classes"})
        check_golden("list_" + std::string(kind) + ".txt", run({"list", kind}).out);
    check_golden("list_nodes.csv", run({"list", "nodes", "--format", "csv"}).out);
    check_golden("list_nodes.md", run({"list", "nodes", "--format", "markdown"}).out);
    for (const char* name : {"round-gpu", "round-node-4", "round-model", "round-engine", "round-chat"})
        check_golden("show_" + std::string(name) + ".txt", run({"show", name}).out);
    check_golden("show_round-gpu.csv", run({"show", "round-gpu", "--format", "csv"}).out);
}

TEST_CASE("check, completion, explain, plan, simulate and compare print what they always printed") {
    check_golden("check.txt", run({"check", "tests/cli/scenarios/round.json", "tests/cli/scenarios/spare.json",
                                   "tests/cli/data/hardware_db/gpus/round-gpu.json"})
                                  .out);
    for (const char* which : {"bash", "zsh", "fish"})
        check_golden("completion." + std::string(which), run({"completion", which}).out);
    check_golden("explain.txt", run(words("explain --model round-model --node round-node-2 --engine round-engine "
                                          "--tensor-parallel 2 --batch 10 --context 300 --prompt 200"))
                                    .out);
    check_golden("plan.txt", run({"plan", "tests/cli/scenarios/round.json"}).out);
    check_golden("simulate.txt", run({"simulate", "tests/cli/scenarios/round.json", "--requests", "20000"}).out);
    for (const char* name : {"mixture", "troubled", "split"})
        check_golden("simulate_" + std::string(name) + ".txt",
                     run({"simulate", "tests/cli/scenarios/" + std::string(name) + ".json", "--requests", "5000"}).out);
    check_golden("plan_mixture.txt", run({"plan", "tests/cli/scenarios/mixture.json"}).out);
    check_golden("simulate_highest_load.txt",
                 run({"simulate", "tests/cli/scenarios/round.json", "--requests", "20000", "--highest-load"}).out);
    check_golden("compare_two.txt",
                 run({"compare", "tests/cli/scenarios/round.json", "tests/cli/scenarios/twice.json"}).out);
    const std::string folder = "tests/cli/scenarios/";
    check_golden("compare_five.txt",
                 run({"compare", folder + "round.json", folder + "twice.json", folder + "spare.json",
                      folder + "tails.json", folder + "small.json", "--baseline", folder + "twice.json"})
                     .out);
}

TEST_CASE("an entry is found by alias, and a wrong or ambiguous name is refused with the candidates") {
    CHECK(run({"show", "Round 32"}).out == run({"show", "round-gpu"}).out);
    CHECK(run({"show", "round-modle"}).errors ==
          "plimsoll: show: unknown name 'round-modle'; did you mean 'round-model'? known: round-chat, round-class, "
          "round-engine, round-gpu, round-link, round-model, round-node-2, round-node-4\n");
    const cli::Result ambiguous = run({"show", "A100-80GB"}, cli::shipped_data);
    CHECK(ambiguous.code == 2);
    CHECK(ambiguous.errors ==
          "plimsoll: show: 'A100-80GB' may mean several entries: gpu a100-80gb-pcie, gpu a100-80gb-sxm\n");
}

TEST_CASE("tables keep to the width they get and widen with it") {
    const std::string scenario = "tests/cli/scenarios/round.json";
    const std::vector<std::vector<std::string>> commands{
        {"plan", scenario},
        {"plan", scenario, "--verbose"},
        {"plan", scenario, "--all"},
        {"compare", scenario, "tests/cli/scenarios/twice.json"},
        {"explain", scenario},
        {"list", "gpus"},
        {"list", "engines"},
        {"show", "round-engine"},
        {"check", scenario},
        {"simulate", scenario, "--requests", "500", "--verbose"},
        {"--help"},
    };
    for (const auto& command : commands)
        for (const std::size_t width : {60U, 80U, 132U}) {
            INFO(command.front() << " at " << width);
            const cli::Result result = run(command, cli::round_data, width);
            CHECK(result.code == 0);
            check_widths(result.out, width);
        }
    const auto widest = [](const std::string& text) {
        std::size_t most = 0;
        for (const std::string& line : cli::lines(text)) most = std::max(most, line.size());
        return most;
    };
    CHECK(widest(run({"plan", scenario, "--width", "200"}).out) > 100);
    check_widths(run({"plan", "scenarios/chat-10k-users.json"}, cli::shipped_data).out, 80);
    for (const char* kind : {"nodes", "gpus", "links", "classes", "models", "engines", "workloads", "schedulers"}) {
        INFO(kind);
        check_widths(run({"list", kind}, cli::shipped_data).out, 80);
    }
}

TEST_CASE("wrong command lines are refused with a suggestion") {
    const auto refusal = [](const std::string& line) {
        const cli::Result result = run(words(line));
        CHECK(result.code == 2);
        CHECK(result.out.empty());
        return result.errors;
    };
    CHECK_THAT(refusal("plna x.json"), ContainsSubstring("command line: unknown command 'plna'; did you mean 'plan'?"));
    CHECK_THAT(refusal("plan x.json --modle llama"),
               ContainsSubstring("plan: unknown option '--modle'; did you mean '--model'?"));
    CHECK_THAT(refusal("list gpus --modle=3"), ContainsSubstring("list: unknown option '--modle'"));
    CHECK(refusal("plan a.json b.json") == "plimsoll: command line: one argument too many: 'b.json'\n");
    CHECK(refusal("plan --ttft") == "plimsoll: --ttft: a value is missing\n");
    CHECK(refusal("plan --ttft=") == "plimsoll: --ttft: a value is missing\n");
    CHECK(refusal("plan --ttft 1s --ttft 2s") == "plimsoll: --ttft: given more than once\n");
    CHECK(refusal("plan --model a,,b") == "plimsoll: --model: a value is missing\n");
    CHECK(refusal("plan --set users") == "plimsoll: --set users: expected PATH=VALUE, such as load.users=10000\n");
    CHECK(refusal("plan x.json --statistic p95") ==
          "plimsoll: --statistic: says nothing without --ttft, --tpot or --e2e\n");
    CHECK(refusal("plan --ttft 1s --statistic p96") ==
          "plimsoll: --statistic: unknown value 'p96'; did you mean 'p90'? known: mean, p50, p90, p95, p99\n");
    CHECK(refusal("list --format yaml") ==
          "plimsoll: --format: unknown value 'yaml'; known: csv, json, markdown, table\n");
    CHECK(refusal("list --width 3") == "plimsoll: --width: expected a whole number from 20 to 100000, got '3'\n");
    CHECK(
        refusal("list gpu") ==
        "plimsoll: KIND: unknown word 'gpu'; did you mean 'gpus'? known: blocks, classes, commands, engines, formats, "
        "gpus, importers, links, loads, models, nodes, parallelism and 4 more\n");
    CHECK(refusal("show") == "plimsoll: command line: NAME is missing; see --help\n");
    CHECK_THAT(refusal("plan"), ContainsSubstring("also needs --model; --users or --rate"));
    CHECK_THAT(refusal("compare tests/cli/scenarios/round.json"), ContainsSubstring("at least two"));
    CHECK_THAT(refusal(""), ContainsSubstring("Usage: plimsoll COMMAND"));
}

TEST_CASE("global options stand before or after the command") {
    CHECK(run({"--format", "csv", "list", "gpus"}).out == run({"list", "gpus", "--format", "csv"}).out);
    CHECK(run({"--version"}).out.starts_with("plimsoll "));
}

TEST_CASE("exit codes tell the user's, the question's and the machine's failures apart") {
    CHECK(run({"plan", "tests/cli/scenarios/round.json"}).code == 0);
    const cli::Result impossible = run({"plan", "tests/cli/scenarios/impossible.json"});
    CHECK(impossible.code == 3);
    CHECK_THAT(impossible.out, ContainsSubstring("no candidate keeps the promises"));
    CHECK(run({"compare", "tests/cli/scenarios/impossible.json", "tests/cli/scenarios/impossible.json"}).code == 3);
    CHECK(run({"plan", "no/such.json"}).code == 4);
    CHECK(run({"plan", "tests/bad_input/empty.json"}).code == 2);
    const cli::Result checked = run({"check", "tests/cli/scenarios/round.json", "tests/bad_input/empty.json"});
    CHECK(checked.code == 2);
    CHECK_THAT(checked.errors, ContainsSubstring("plimsoll: tests/bad_input/empty.json"));
    CHECK(run({"list", "gpus"}, "no/such/folder").code == 4);
    CHECK(run({"list", "gpus", "--data", "tests/golden"}).code == 2);
}

TEST_CASE("every bad input of the table ends the program with its exit code and message and writes nothing") {
    const cli::TemporaryFolder folder;
    std::size_t rows = 0;
    for (const std::string& line : cli::lines(cli::read("tests/bad_input/expected.tsv"))) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream stream(line);
        std::string file, data, options, code, message;
        for (std::string* cell : {&file, &data, &options, &code, &message}) std::getline(stream, *cell, '\t');
        std::vector<std::string> arguments{"plan", file, "--all", "--output", folder.path() + "/answer.txt"};
        if (data != "-") arguments.insert(arguments.end(), {"--data", data});
        if (options != "-")
            for (const std::string& word : words(options)) arguments.push_back(word);
        const cli::Result result = run(arguments, cli::shipped_data, 1000);
        INFO(line);
        INFO(result.errors);
        CHECK(std::to_string(result.code) == code);
        const bool open_end = message.ends_with(" ...");
        if (open_end) message.resize(message.size() - 3);
        const bool said_by_the_plan = code == "3";
        if (said_by_the_plan) {
            CHECK_THAT(cli::read(folder.path() + "/answer.txt"), ContainsSubstring(message));
            std::filesystem::remove(folder.path() + "/answer.txt");
        } else if (open_end) {
            CHECK(result.errors.starts_with("plimsoll: " + message));
        } else {
            CHECK(result.errors == "plimsoll: " + message + "\n");
        }
        CHECK(folder.files() == 0);
        ++rows;
    }
    CHECK(rows >= 30);
}

TEST_CASE("an output file is whole or absent") {
    const cli::TemporaryFolder folder;
    const std::string path = folder.path() + "/answer.txt";
    const cli::Result written = run({"list", "gpus", "--output", path});
    CHECK(written.code == 0);
    CHECK(written.out.empty());
    CHECK(cli::read(path) == run({"list", "gpus"}).out);
    CHECK(folder.files() == 1);

    const std::string before = cli::read(path);
    CHECK(run({"plan", "tests/bad_input/empty.json", "--output", path}).code == 2);
    CHECK(cli::read(path) == before);

    const cli::Result missing = run({"list", "gpus", "--output", folder.path() + "/none/answer.txt"});
    CHECK(missing.code == 4);
    CHECK(missing.errors == "plimsoll: " + folder.path() + "/none/answer.txt: No such file or directory\n");
    // A profile is written as every file is: nothing lost when the disk is full.
    CHECK(run({"calibrate", "fit", "--from", "tests/cli/kernels/gemm.csv", "--profile", "/dev/full"}, cli::shipped_data)
              .code == 4);
    CHECK(run({"list", "gpus", "--output", "/dev/full"}).code == 4);
    CHECK(run({"list", "gpus", "--output", folder.path()}).code == 4);
    CHECK(folder.files() == 1);
}

TEST_CASE("the binary finds its data, its width and its exit codes") {
    const std::string binary = PLIMSOLL_BINARY;
    CHECK(shell(binary + " --version").out == run({"--version"}).out);
    CHECK(shell("PLIMSOLL_DATA=tests/cli/data " + binary + " list gpus").out == run({"list", "gpus"}).out);
    CHECK(shell("PLIMSOLL_DATA=tests/cli/data COLUMNS=40 " + binary + " list gpus").out ==
          run({"list", "gpus"}, cli::round_data, 40).out);
    CHECK_THAT(shell(binary + " list gpus").out, ContainsSubstring("a30-24gb-pcie"));
    CHECK(shell("PLIMSOLL_DATA=no/such/folder " + binary + " list gpus 2>/dev/null").code == 4);
    CHECK(shell(binary + " list >/dev/full 2>/dev/null").code == 4);
    CHECK(shell(binary + " plan tests/bad_input/empty.json 2>/dev/null").code == 2);
}

TEST_CASE("an instance that carries everybody is not said to hold so many on each") {
    const cli::Result few = run(words("plan tests/cli/scenarios/round.json --users 1"), cli::round_data, 400);
    CHECK_THAT(few.out, ContainsSubstring("1 user, thinking"));
    CHECK_THAT(few.out, ContainsSubstring("One instance carries all users;"));
    CHECK_THAT(few.out, ContainsSubstring("So it does in the simulation."));
    CHECK_THAT(few.out, !ContainsSubstring("fit on a node"));
    const cli::Result many = run(words("plan tests/cli/scenarios/round.json"), cli::round_data, 400);
    CHECK_THAT(many.out, ContainsSubstring("users fit on a node, bound by"));
}

TEST_CASE("a long wait for the first token that no promise bounds is told") {
    const std::string question =
        "plan --model llama-3.1-8b --node l4-24gb-pcie-1 --think-time 5s --prompt-tokens 1000 --output-tokens 500 "
        "--tpot 500ms --referee none --users ";
    const auto says = [&](const std::string& more) {
        return run(words(question + more), cli::shipped_data, 400).out.find("Nothing is promised about the first") !=
               std::string::npos;
    };
    // The KV cache holds some 20 requests: 500 users wait for minutes, 5 do not.
    CHECK(says("500"));
    CHECK_FALSE(says("5"));
    CHECK_FALSE(says("500 --ttft 1h"));
}

TEST_CASE("more than the memory holds is refused in words") {
    const std::string little = "ulimit -v 1000000; " + std::string(PLIMSOLL_BINARY);
    if (shell(little + " --version 2>/dev/null").code != 0) return;  // a sanitizer asks for more by itself
    const cli::Process result = shell(little +
                                      " simulate --cost-tables tests/cli/tables --layers 4 --scheduler sarathi "
                                      "--max-sequences 8 --max-step-tokens 64 --kv-blocks 100 --prompt-tokens "
                                      "16 --output-tokens 2 --users 1000000000 --requests 10 2>&1");
    CHECK(result.code == 4);
    CHECK_THAT(result.out, ContainsSubstring("plimsoll: the memory of this machine is too small"));
}

TEST_CASE("the completion script of bash completes") {
    if (shell("command -v bash >/dev/null").code != 0) return;
    const std::string binary = PLIMSOLL_BINARY;
    const std::string folder = binary.substr(0, binary.rfind('/'));
    const auto completed = [&](const std::string& line) {
        return shell("PATH=" + folder +
                     ":$PATH PLIMSOLL_DATA=tests/cli/data bash -c '. <(plimsoll completion bash); "
                     "COMP_WORDS=(" +
                     line + "); COMP_CWORD=" + std::to_string(words(line).size() - 1) +
                     "; _plimsoll; echo ${COMPREPLY[*]}'")
            .out;
    };
    CHECK(completed("plimsoll pl") == "plan\n");
    CHECK(completed("plimsoll plan --tensor") == "--tensor-parallel\n");
    CHECK(completed("plimsoll plan --model rou") == "round-model\n");
    CHECK(completed("plimsoll --format m") == "markdown\n");
    CHECK(completed("plimsoll list --format json lin") == "links\n");
    CHECK(completed("plimsoll show round-n") == "round-node-2 round-node-4\n");
    for (const std::string other : {"zsh", "fish"})
        if (shell("command -v " + other + " >/dev/null").code == 0)
            CHECK(shell(binary + " completion " + other + " | " + other + " -n /dev/stdin").code == 0);
}

TEST_CASE("a GPU, a node, a model and an engine are each added by one file of an overlay") {
    const cli::TemporaryFolder folder;
    const auto copy = [&](const std::string& from, const std::string& to,
                          std::vector<std::pair<std::string, std::string>> edits) {
        std::string text = cli::read(cli::round_data + "/" + from);
        for (const auto& [old_text, new_text] : edits) {
            REQUIRE(text.find(old_text) != text.npos);
            text.replace(text.find(old_text), old_text.size(), new_text);
        }
        folder.write(to, text);
    };
    copy("hardware_db/gpus/round-gpu.json", "hardware_db/gpus/new-gpu.json",
         {{"\"round-gpu\"", "\"new-gpu\""}, {"\"Round 32\", \"round\"", "\"New 32\""}});
    copy("hardware_db/nodes/round-node-2.json", "hardware_db/nodes/new-node.json",
         {{"\"round-node-2\"", "\"new-node\""}, {"\"2x round\"", "\"2x new\""}, {"\"round-gpu\"", "\"new-gpu\""}});
    copy("scenarios/library/models/round-model.json", "scenarios/library/models/new-model.json",
         {{"\"round-model\"", "\"new-model\""}, {"nobody/round-model", "nobody/new-model"}});
    copy("scenarios/library/engines/round-engine.json", "scenarios/library/engines/new-engine.json",
         {{"\"round-engine\"", "\"new-engine\""}});
    const std::string question =
        "plan --model new-model --node new-node --engine new-engine --workload round-chat --users 1000 --think-time "
        "10s "
        "--ttft 1s --tpot 50ms";
    CHECK(run(words(question)).code == 2);
    const cli::Result planned = run(words(question + " --data " + folder.path()));
    INFO(planned.errors);
    CHECK(planned.code == 0);
    CHECK_THAT(planned.out, ContainsSubstring("new-model: 1 node of new-node (2 GPUs)"));
    CHECK_THAT(run({"list", "gpus", "--data", folder.path()}).out, ContainsSubstring("new-gpu"));
    CHECK(run({"check", folder.path() + "/hardware_db/nodes/new-node.json", "--data", folder.path()}).code == 0);
}
