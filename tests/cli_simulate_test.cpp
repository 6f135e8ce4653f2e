#include <filesystem>

#include <nlohmann/json.hpp>

#include "model/base/csv.hpp"
#include "tests/catch.hpp"
#include "tests/cli_json.hpp"
#include "tests/cli_run.hpp"

using cli::answer_of;
using cli::documented;
using cli::keys_of;
using cli::run;
using cli::words;
using Json = nlohmann::json;

namespace {

const std::string round_scenario = "tests/cli/scenarios/round.json";

/// The engine of tests/cli/tables: a layer takes 1 ms, 1 ms more for a prompt chunk, 0.25 ms more for decodes at a mean
/// context of up to 64 tokens and 0.5 ms above; attention over several sequences takes 1.1 times as long. Four layers.
const std::string tables =
    "simulate --cost-tables tests/cli/tables --layers 4 --scheduler sarathi --max-sequences 8 --max-step-tokens 64 "
    "--kv-blocks 100 ";
const std::string recorded = tables + "--workload tests/cli/tables/workload.csv ";

Json simulated(const std::string& line, const std::string& data = cli::round_data, int code = 0) {
    return answer_of(words(line), data, code);
}

/// The engine of the tables with another budget of tokens.
std::string step_tokens(const std::string& tokens) {
    std::string line = tables;
    return line.replace(line.find("64"), 2, tokens);
}

std::string refusal(const std::string& line) {
    const cli::Result result = run(words(line));
    INFO(result.out);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    return result.errors;
}

}  // namespace

TEST_CASE("simulate on tabulated costs gives every request the times worked by hand") {
    const cli::TemporaryFolder folder;
    const std::string path = folder.path() + "/requests.csv";
    CHECK(run(words(recorded + "--requests-out " + path)).code == 0);
    const plimsoll::Csv rows = plimsoll::Csv::from_file(path);
    REQUIRE(rows.rows() == 4);
    const auto is = [&](std::size_t row, const char* column, double expected) {
        INFO(row << " " << column);
        CHECK(rows.number(row, column).value() == Approx(expected).epsilon(1e-12));
    };
    // 0: prompt of 32 from 0.5 s: (1 + 1) x 4 = 8 ms. A decode at 33 tokens: 5 ms. 1 has come at 0.51 s and joins at
    // 0.513 s with 63 of its 100 tokens (a decode takes one of 64): (1 + 0.25 + 1) x 4 = 9 ms, again 9 ms with the
    // other
    // 37. Both decode at (37 + 101) / 2 tokens: (1 + 0.55) x 4 = 6.2 ms, and 0 has its five tokens.
    is(0, "first_token_at", 0.508);
    is(0, "completed_at", 0.5372);
    is(0, "tpot_s", 0.0292 / 4);
    // 1: its third token alone at 102 tokens: (1 + 0.5) x 4 = 6 ms.
    is(1, "arrived_at", 0.51);
    is(1, "queue_s", 0.003);
    is(1, "first_token_at", 0.531);
    is(1, "completed_at", 0.5432);
    // 2 and 3: prompts of 16 together: (1 + 1.1) x 4 = 8.4 ms; 2 wants no more.
    is(2, "ttft_s", 0.0084);
    is(2, "e2e_s", 0.0084);
    CHECK(rows.text(2, "tpot_s").empty());
    // 3: 119 decodes at contexts from 17 on: 48 of 5 ms up to 64, 71 of 6 ms.
    is(3, "completed_at", 1.5084 + 0.240 + 0.426);
    is(3, "preemptions", 0);
}

TEST_CASE("simulate says in JSON what it says in the table, under the documented keys") {
    const Json answer = simulated("simulate " + round_scenario + " --requests 3000 --timing");
    std::set<std::string> top;
    for (const auto& entry : answer.items()) top.insert(entry.key());
    std::set<std::string> expected = documented("# JSON output");
    expected.merge(documented("## `simulate`"));
    for (const char* searched : {"highest_load", "trials"}) CHECK(expected.erase(searched) == 1);
    CHECK(top == expected);
    for (const char* name : {"ttft_s", "tpot_s", "itl_s", "e2e_s", "queue_s"})
        CHECK(keys_of(answer.at("metrics").at(name)) == documented("### A measure"));
    for (const char* part : {"simulated", "rates", "replica", "forecast", "deployment", "setup", "load", "timing"})
        CHECK(keys_of(answer.at(part)) == documented("### `" + std::string(part) + "`"));

    CHECK(answer.at("simulated").at("requests") == 3000);
    CHECK(answer.at("interrupted") == false);
    const Json& ttft = answer.at("metrics").at("ttft_s");
    CHECK(ttft.at("p50").get<double>() <= ttft.at("p99").get<double>());
    CHECK(ttft.at("ci95").at("low").get<double>() <= ttft.at("mean").get<double>());
    const Json& forecast = answer.at("forecast");
    CHECK(forecast.at("gap").at("ttft_s").at("mean").get<double>() ==
          Approx(forecast.at("ttft_s").at("mean").get<double>() / ttft.at("mean").get<double>() - 1).margin(1e-12));
    // Every request of the round workload has 100 output tokens: TTFT and 99 intervals make its time.
    const Json& metrics = answer.at("metrics");
    CHECK(metrics.at("e2e_s").at("mean").get<double>() ==
          Approx(ttft.at("mean").get<double>() + 99 * metrics.at("tpot_s").at("mean").get<double>()).epsilon(1e-6));
}

TEST_CASE("simulate and plan agree on the load of an instance, and on the forecast of it") {
    const Json planned = answer_of({"plan", round_scenario}).at("answers");
    const Json answer = simulated("simulate " + round_scenario + " --requests 500");
    bool found = false;
    for (const Json& best : planned) {
        if (best.at("node") != answer.at("deployment").at("node")) continue;
        found = true;
        const double instances = best.at("nodes_needed").get<double>() * best.at("instances_per_node").get<double>();
        CHECK(answer.at("load").at("users") == std::ceil(10000 / instances));
        for (const char* statistic : {"mean", "p50", "p90", "p95", "p99"})
            for (const char* metric : {"ttft_s", "tpot_s", "e2e_s"})
                CHECK(answer.at("forecast").at(metric).at(statistic) == best.at(metric).at(statistic));
    }
    CHECK(found);
    const Json three = simulated("simulate " + round_scenario + " --requests 500 --replicas 3");
    CHECK(three.at("load").at("users").get<double>() > 2.9 * answer.at("load").at("users").get<double>() - 3);
    CHECK(simulated("simulate " + round_scenario + " --requests 500 --users 7").at("load").at("users") == 7);
    CHECK(simulated("simulate " + round_scenario + " --requests 500 --rate 2/s").at("load").at("rate_per_s") == 2);
}

TEST_CASE("simulate tells the share of the prompts that a prefix cache had") {
    const cli::TemporaryFolder folder;
    std::string rows;
    for (const char* time : {"0", "10000", "20000", "30000"})
        rows += std::string("{\"timestamp\": ") + time +
                ", \"input_length\": 40, \"output_length\": 5, \"hash_ids\": [7]}\n";
    folder.write("rows.jsonl", rows);
    const std::string line =
        "simulate --cost-tables tests/cli/tables --layers 4 --max-sequences 8 --max-step-tokens 64 --kv-blocks 100 "
        "--workload " +
        folder.path() + "/rows.jsonl --scheduler ";
    // Three of four prompts of 40 tokens find two full blocks of 16: the last token is computed anyhow.
    CHECK(simulated(line + "vllm-v1").at("rates").at("prefix_hit_rate").at("mean").get<double>() == Approx(96.0 / 160));
    CHECK(!simulated(line + "sarathi").at("rates").contains("prefix_hit_rate"));
}

TEST_CASE("simulate gives the same bytes for the same seed, on any number of threads") {
    const cli::TemporaryFolder folder;
    const auto answer = [&](const std::string& options) {
        const std::string rows = folder.path() + "/rows.csv", trace = folder.path() + "/trace.json",
                          series = folder.path() + "/series.csv";
        const cli::Result result =
            run(words("simulate " + round_scenario + " --requests 2000 --replications 5 " + options +
                      " --format json --requests-out " + rows + " --trace-out " + trace + " --series-out " + series));
        CHECK(result.code == 0);
        CHECK(Json::accept(cli::read(trace)));
        CHECK(cli::lines(cli::read(rows)).size() > 2000);
        CHECK(folder.files() == 3);
        return result.out + cli::read(rows) + cli::read(trace) + cli::read(series);
    };
    const std::string one = answer("--threads 1");
    CHECK(answer("--threads 3") == one);
    CHECK(answer("--threads 3 --seed 2") != one);
}

TEST_CASE("simulate spreads requests over replicas by the router's rule") {
    const cli::TemporaryFolder folder;
    const std::string path = folder.path() + "/rows.csv";
    const auto replicas = [&](const std::string& router) {
        CHECK(run(words(tables +
                        "--rate 30/s --prompt-tokens 16 --output-tokens 4 --requests 300 --replicas 3 "
                        "--requests-out " +
                        path + router))
                  .code == 0);
        const plimsoll::Csv rows = plimsoll::Csv::from_file(path);
        std::vector<int> counts(3);
        for (std::size_t row = 0; row < rows.rows(); ++row)
            ++counts.at(static_cast<std::size_t>(rows.number(row, "replica").value()));
        return counts;
    };
    CHECK(replicas("") == std::vector<int>{100, 100, 100});
    for (const int count : replicas(" --router random")) CHECK((count > 60 && count < 140));
}

TEST_CASE("simulate leaves out a warm-up, and counts a finite load whole") {
    const Json whole = simulated(recorded);
    CHECK(whole.at("simulated").at("counted_requests") == 4);
    CHECK(whole.at("metrics").at("ttft_s").at("few_samples").size() == 4);
    CHECK(simulated(recorded + "--requests 2").at("simulated").at("requests") == 2);
    const std::string open = tables + "--rate 30/s --prompt-tokens 16 --output-tokens 4 --requests 300 ";
    const Json fixed = simulated(open + "--warm-up 100").at("simulated");
    CHECK(fixed.at("warm_up_requests") == 100);
    // Those that end in one step with the last are counted too.
    CHECK(fixed.at("counted_requests").get<int>() == fixed.at("requests").get<int>() - 100);
    const Json all = simulated(open + "--warm-up none").at("simulated");
    CHECK(all.at("counted_requests") == all.at("requests"));
    CHECK(all.at("requests").get<int>() >= 300);
    const Json timed = simulated(tables + "--rate 30/s --prompt-tokens 16 --output-tokens 4 --duration 10s");
    CHECK(timed.at("simulated").at("end_s").get<double>() <= 10);
    CHECK(timed.at("simulated").at("requests").get<int>() > 200);
}

TEST_CASE("simulate counts requests that keep their promises as goodput") {
    const std::string open = tables + "--rate 5/s --prompt-tokens 16 --output-tokens 4 --requests 400 ";
    const Json loose = simulated(open + "--ttft 10s").at("rates");
    CHECK(loose.at("goodput_per_s").at("mean") == loose.at("requests_per_s").at("mean"));
    // A prompt alone takes 8 ms.
    CHECK(simulated(open + "--ttft 7ms").at("rates").at("goodput_per_s").at("mean") == 0);
    CHECK_FALSE(simulated(open).at("rates").contains("goodput_per_s"));
}

TEST_CASE("simulate needs no promises, and counts goodput only with them") {
    const std::string question =
        "simulate --model round-model --node round-node-2 --engine round-engine --users 5 --think-time 1s "
        "--workload round-chat --requests 200";
    const Json free = simulated(question), promised = simulated(question + " --ttft 10s");
    CHECK(free.at("metrics").at("ttft_s") == promised.at("metrics").at("ttft_s"));
    CHECK(free.at("forecast") == promised.at("forecast"));
    CHECK_FALSE(free.at("rates").contains("goodput_per_s"));
    CHECK(promised.at("rates").contains("goodput_per_s"));
    CHECK_THAT(refusal(question + " --highest-load"), ContainsSubstring("needs promises"));
    CHECK_THAT(refusal("plan --model round-model --users 5 --workload round-chat"),
               ContainsSubstring("also needs --ttft, --tpot or --e2e"));
}

TEST_CASE("no two outputs of simulate go to one file, and - is the standard output") {
    const std::string open = tables + "--rate 5/s --prompt-tokens 16 --output-tokens 4 --requests 40 ";
    const std::string file = "/tmp/plimsoll-one-file.csv", same = "/tmp/../tmp/plimsoll-one-file.csv";
    CHECK(refusal(open + "--output " + file + " --requests-out " + same) ==
          "plimsoll: --requests-out: '" + same +
              "' is where the answer (--output) goes; each needs a file of its own\n");
    CHECK(refusal(open + "--trace-out " + file + " --series-out " + file) ==
          "plimsoll: --series-out: '" + file + "' is where --trace-out goes; each needs a file of its own\n");
    CHECK_THAT(refusal(open + "--requests-out -"), ContainsSubstring("'-' is where the answer (--output) goes"));
    CHECK_FALSE(std::filesystem::exists(file));
    CHECK(cli::run(cli::words(open + "--output -")).out == cli::run(cli::words(open)).out);
    CHECK(cli::run(cli::words(open + "--output /dev/null --requests-out /dev/null")).code == 0);
}

TEST_CASE("simulate refuses what makes no sense, and writes nothing") {
    CHECK(
        refusal("simulate") ==
        "plimsoll: command line: a question without a scenario file also needs --model; --users or --rate; --workload, "
        "or --prompt-tokens and --output-tokens; see --help\n");
    CHECK(refusal("simulate --cost-tables x --scheduler sarathi") ==
          "plimsoll: simulate: --cost-tables needs --layers\n");
    CHECK(refusal("simulate --cost-tables tests/cli/tables --layers 4 --kv-blocks 9") ==
          "plimsoll: simulate: --cost-tables needs --scheduler\n");
    CHECK(refusal(tables) == "plimsoll: simulate: --cost-tables needs --prompt-tokens\n");
    CHECK(refusal(tables + "--prompt-tokens 9 --output-tokens 9") ==
          "plimsoll: simulate: --cost-tables needs a load: --workload FILE, --rate or --users\n");
    CHECK(refusal(recorded + "--model round-model") == "plimsoll: --model: says nothing beside --cost-tables\n");
    CHECK_THAT(refusal(step_tokens("7") + "--workload tests/cli/tables/workload.csv"),
               ContainsSubstring("limits of the scheduler: the token budget of a step (7) must be"));
    CHECK(
        refusal(recorded + "--padded-prefill") ==
        "plimsoll: --padded-prefill: /simulation/engine/padded_prefill: 'padded_prefill' is a setting of the scheduler "
        "vllm-v0, not of sarathi\n");
    CHECK(refusal(recorded + "--router random") == "plimsoll: --router: /simulation/router: is for several replicas\n");
    CHECK(refusal(recorded + "--cv 2") == "plimsoll: --cv: /load/cv: says nothing about recorded arrivals\n");
    CHECK(refusal(recorded + "--requests 0") ==
          "plimsoll: --requests: expected a whole number from 1 to 1,000,000,000,000, got '0'\n");
    CHECK(refusal(recorded + "--warm-up many") == "plimsoll: --warm-up: 'many' does not begin with a number\n");
    CHECK(refusal(recorded + "--warm-up 3 --requests 3") == "plimsoll: --warm-up: is not shorter than the run\n");
    CHECK(refusal("simulate " + round_scenario + " --layers 3") == "plimsoll: --layers: is for --cost-tables\n");
    CHECK(refusal("simulate " + round_scenario + " --users 3 --rate 3/s") ==
          "plimsoll: --rate: a load has users or a rate, not both\n");
    CHECK(refusal("simulate " + round_scenario + " --duration 10") ==
          "plimsoll: --duration: '10' has no unit; known units of time: s, ms, us, ns, min, h, d, year\n");
    CHECK_THAT(refusal("simulate " + round_scenario + " --scheduler sarathy"),
               ContainsSubstring("--scheduler: unknown value 'sarathy'; did you mean 'sarathi'? known: "));
    CHECK_THAT(refusal("simulate " + round_scenario + " --replicas 2 --router rnadom"),
               ContainsSubstring("did you mean 'random'?"));
    // The tables end before the step of 100 prompt tokens.
    CHECK_THAT(refusal(step_tokens("128") + "--workload tests/cli/tables/workload.csv"),
               ContainsSubstring("tests/cli/tables/linear.csv: no row for a step of"));
}

TEST_CASE("simulate answers that nothing fits with exit code 3") {
    const cli::Result result = run(words("simulate tests/bad_input/model_larger_than_memory.json"), cli::shipped_data);
    CHECK(result.code == 3);
    CHECK_THAT(result.out, ContainsSubstring("nothing fits"));
    CHECK(run({"simulate", "tests/cli/scenarios/impossible.json", "--requests", "200"}).code == 0);
}

TEST_CASE("an engine whose scheduler the simulator does not have is refused with the known ones") {
    const cli::TemporaryFolder folder;
    const std::string name = "scenarios/library/engines/round-engine.json";
    std::string text = cli::read(cli::round_data + "/" + name);
    text.replace(text.find("\"vllm-v0\""), 9, "\"vlm-v0\"");
    folder.write(name, text);
    const cli::Result result = run({"simulate", round_scenario, "--data", folder.path()});
    CHECK(result.code == 2);
    CHECK_THAT(result.errors,
               ContainsSubstring("engine round-engine: unknown scheduler 'vlm-v0'; did you mean 'vllm-v0'?"));
    const cli::Result checked = run({"check", folder.path() + "/" + name});
    CHECK(checked.code == 2);
    CHECK_THAT(checked.errors, ContainsSubstring("/scheduler: unknown scheduler 'vlm-v0'"));
}

TEST_CASE("the files of a simulation are whole or absent") {
    const cli::TemporaryFolder folder;
    for (const std::string option : {"--requests-out", "--trace-out", "--series-out"}) {
        INFO(option);
        CHECK(run(words(recorded + option + " " + folder.path() + "/none/x")).code == 4);
        CHECK(run(words(recorded + option + " /dev/full")).code == 4);
        CHECK(run(words(recorded + option + " " + folder.path() + "/x --cv 2")).code == 2);
        CHECK(run(words(step_tokens("128") + "--workload tests/cli/tables/workload.csv " + option + " " +
                        folder.path() + "/x"))
                  .code == 2);
        CHECK(folder.files() == 0);
    }
    // A link stays one, and leads to the answer.
    folder.write("target.csv", "old");
    std::filesystem::create_symlink(folder.path() + "/target.csv", folder.path() + "/link.csv");
    CHECK(run(words(recorded + "--requests-out " + folder.path() + "/link.csv")).code == 0);
    CHECK(std::filesystem::is_symlink(folder.path() + "/link.csv"));
    CHECK(cli::lines(cli::read(folder.path() + "/target.csv")).size() == 5);
}

TEST_CASE("an interrupted simulation answers with what it has counted") {
    const cli::TemporaryFolder folder;
    const std::string out = folder.path() + "/out.json", rows = folder.path() + "/rows.csv";
    const std::string command = "timeout --preserve-status -s INT 1 " + std::string(PLIMSOLL_BINARY) + " " + tables +
                                "--rate 30/s --prompt-tokens 16 --output-tokens 4 --requests 1e12 --replications 3 "
                                "--threads 2 --format json --requests-out " +
                                rows + " >" + out;
    CHECK(cli::shell(command).code == 130);
    const Json answer = Json::parse(cli::read(out));
    CHECK(answer.at("interrupted") == true);
    CHECK(answer.at("notes").at(0) == "Interrupted: this is what had been counted by then.");
    CHECK(answer.at("simulated").at("requests").get<double>() > 100);
    CHECK(answer.at("metrics").at("ttft_s").at("mean").get<double>() > 0.008);
    CHECK(cli::read(rows).ends_with(",ok\n"));
    CHECK(folder.files() == 2);
}
