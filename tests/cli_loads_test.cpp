#include <nlohmann/json.hpp>

#include "model/base/csv.hpp"
#include "scenarios/validate.hpp"
#include "tests/catch.hpp"
#include "tests/cli_json.hpp"
#include "tests/cli_run.hpp"
#include "tests/library.hpp"

using cli::answer_of;
using cli::documented;
using cli::keys_of;
using cli::run;
using cli::words;
using Json = nlohmann::json;

namespace {

const std::string round_scenario = "tests/cli/scenarios/round.json";
/// See tests/cli_simulate_test.cpp: prompts at 0.5, 0.51, 1.5 and 1.5 s, a prefill alone takes 8 ms.
const std::string recorded =
    "simulate --cost-tables tests/cli/tables --layers 4 --scheduler sarathi --max-sequences 8 --max-step-tokens 64 "
    "--kv-blocks 100 --workload tests/cli/tables/workload.csv ";

Json simulated(std::vector<std::string> arguments, const std::string& data = cli::round_data) {
    arguments.insert(arguments.begin(), "simulate");
    return answer_of(arguments, data);
}

Json tabulated(const std::string& settings) {
    std::vector<std::string> arguments = words(recorded);
    for (const std::string& setting : words(settings)) arguments.push_back(setting);
    return answer_of(arguments);
}

std::string refusal(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "simulate");
    const cli::Result result = run(arguments);
    INFO(result.out);
    CHECK(result.code == 2);
    return result.errors;
}

/// TTFT of the first requests of a run, in order of arrival.
std::vector<double> first_tokens(const std::vector<std::string>& options, std::size_t count) {
    const cli::TemporaryFolder folder;
    const std::string path = folder.path() + "/rows.csv";
    std::vector<std::string> arguments{"simulate", "--requests-out", path};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const cli::Result result = run(arguments);
    INFO(result.errors);
    CHECK(result.code == 0);
    const plimsoll::Csv rows = plimsoll::Csv::from_file(path);
    std::vector<double> times;
    for (std::size_t row = 0; row < count; ++row) times.push_back(rows.number(row, "ttft_s").value());
    return times;
}

}  // namespace

TEST_CASE("classes that are alike are the load without classes") {
    // Lengths and think time are fixed and all users start together, so that who is of which class changes nothing.
    const std::vector<std::string> whole{round_scenario, "--users",   "40",    "--requests",  "800",
                                         "--think-time", "fixed:10s", "--set", "load.ramp=0s"};
    std::vector<std::string> halves = whole;
    halves.insert(halves.end(),
                  {"--set", R"(load.classes=[{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}])"});
    const Json one = simulated(whole), two = simulated(halves);
    CHECK(one.at("metrics") == two.at("metrics"));
    CHECK(one.at("rates") == two.at("rates"));
    CHECK(one.at("forecast") == two.at("forecast"));
    CHECK(one.at("classes").empty());
    REQUIRE(two.at("classes").size() == 2);
    CHECK(two.at("load").at("users") == 40);
    double requests = 0, goodput = 0;
    for (const Json& of_class : two.at("classes")) {
        CHECK(keys_of(of_class) == documented("### A class"));
        requests += of_class.at("requests").get<double>();
        goodput += of_class.at("goodput_per_s").get<double>();
    }
    CHECK(requests == two.at("simulated").at("counted_requests"));
    CHECK(goodput == Approx(two.at("rates").at("goodput_per_s").at("mean").get<double>()).epsilon(1e-9));
}

TEST_CASE("each class is judged by its own promises") {
    // No first token comes within a microsecond, each within an hour.
    const Json answer = simulated({round_scenario, "--users", "20", "--requests", "400", "--set",
                                   R"(load.classes=[{"name": "a", "share": 0.5, "slo": {"ttft_p95": "1us"}},
                                                    {"name": "b", "share": 0.5, "slo": {"ttft_p95": "1h"}}])"});
    CHECK(answer.at("classes").at(0).at("good") == 0);
    CHECK(answer.at("classes").at(1).at("good") == 1);
    CHECK(answer.at("classes").at(1).at("promises") == "TTFT p95 < 60.0 min");
}

TEST_CASE("a cluster in which nothing happens does what a lone replica does") {
    const std::vector<std::string> plain{round_scenario, "--requests", "2000"};
    const auto with = [&](std::vector<std::string> options) {
        options.insert(options.begin(), plain.begin(), plain.end());
        return simulated(options);
    };
    const Json alone = with({});
    for (const std::vector<std::string>& idle : {std::vector<std::string>{"--patience", "1000d"},
                                                 {"--mean-time-to-failure", "30000year"},
                                                 {"--set", "simulation.most_outstanding=1000000"}}) {
        const Json answer = with(idle);
        for (const char* part : {"metrics", "rates", "replica"}) CHECK(answer.at(part) == alone.at(part));
    }
}

TEST_CASE("what befalls replicas and clients is counted, by hand") {
    // Request 1 comes at 0.51 s and goes to replica 1, which fails at 0.52 s.
    const std::string killed =
        "--replicas 2 --set simulation.events=[{\"time\":\"520ms\",\"replica\":1,\"kind\":\"fail\"}] ";
    const Json lost = tabulated(killed).at("simulated");
    CHECK(lost.at("lost") == 1);
    CHECK(lost.at("failures") == 1);
    CHECK(lost.at("requests") == 3);
    const Json again = tabulated(killed + "--set simulation.lost_requests=resubmit").at("simulated");
    CHECK(again.at("resubmitted") == 1);
    CHECK(again.at("lost") == 0);
    CHECK(again.at("requests") == 4);
    // A drained replica answers what it has.
    const Json drained = tabulated(
                             "--replicas 2 --set simulation.events=[{\"time\":\"520ms\",\"replica\":1,"
                             "\"kind\":\"drain\"}]")
                             .at("simulated");
    CHECK(drained.at("requests") == 4);
    CHECK(drained.at("failures") == 0);
    // No prefill is done within a millisecond: four requests of three attempts each.
    const Json impatient = tabulated("--patience 1ms --retries 2").at("simulated");
    CHECK(impatient.at("timed_out") == 4);
    CHECK(impatient.at("retries") == 8);
    CHECK(impatient.at("requests") == 0);
    // Of the two that come together the second finds the only place taken.
    CHECK(tabulated("--set simulation.most_outstanding=1").at("simulated").at("refused") == 2);
}

TEST_CASE("random failures of replicas are those of the seed, and a start-up keeps them away for longer") {
    const std::vector<std::string> options{"tests/cli/scenarios/troubled.json", "--requests", "20000"};
    const Json answer = simulated(options);
    CHECK(answer.at("simulated").at("failures").get<int>() > 0);
    CHECK(answer.at("simulated").at("resubmitted").get<int>() > 0);
    CHECK(simulated(options) == answer);
    std::vector<std::string> slow = options;
    slow.insert(slow.end(), {"--start-up", "5min"});
    CHECK(simulated(slow).at("simulated").at("timed_out").get<int>() >
          answer.at("simulated").at("timed_out").get<int>());
}

TEST_CASE("the first token does not depend on the replicas that decode, as long as KV leaves in time") {
    const auto ttft = [](const std::string& replicas, const std::string& bandwidth) {
        return first_tokens(
            {"tests/cli/scenarios/split.json", "--rate", "3/s", "--requests", "400", "--decode-replicas", replicas,
             "--set", "simulation.disaggregation.link.bandwidth=" + bandwidth},
            200);
    };
    const std::vector<double> two = ttft("2", "10 GB/s");
    CHECK(ttft("4", "10 GB/s") == two);
    CHECK(ttft("2", "40 GB/s") == two);
    const Json answer = simulated({"tests/cli/scenarios/split.json", "--requests", "400"}).at("simulated");
    CHECK(answer.at("transfers").get<int>() >= 400);
    // Every prompt of the round workload has 200 tokens.
    CHECK(answer.at("transferred_tokens") == 200 * answer.at("transfers").get<int>());
}

TEST_CASE("the documents' protocol simulated is what validate computes for the same row") {
    using namespace plimsoll;
    const Workload& docqa = plimsoll::testing::library().workloads.at("docqa", "test");
    const Csv table = Csv::from_text(
        "model,gpu,gpu_mem_gb,link,tp,load,prompt_tokens,output_tokens,users,ttft_s,tpot_s,request_rate_per_s\n"
        "llama-2-13b,A100,40,nvlink,4,docqa," +
            std::to_string(docqa.prompt.mean()) + "," + std::to_string(docqa.output.mean()) + ",40,,,\n",
        "row.csv");
    ValidationAssumptions assumptions;
    assumptions.prompt_scale = 1.0;
    const ValidationRow row = validate(table, assumptions, plimsoll::testing::library()).rows.at(0);
    REQUIRE(row.skipped.empty());
    const Json answer =
        simulated(words("--model llama-2-13b --node a100-40gb-sxm-8 --engine tgi-lightllm-2023 --weights "
                        "fp16 --tensor-parallel 4 --workload docqa --users 40 --protocol shared-queue "
                        "--ttft 3s --replications 12"),
                  cli::shipped_data);
    CHECK(answer.at("load").at("kind") == "shared-queue");
    CHECK(answer.at("simulated").at("requests") == 12 * 250);
    const auto mean = [&](const char* group, const char* name) {
        return answer.at(group).at(name).at("mean").get<double>();
    };
    CHECK(mean("metrics", "ttft_s") == Approx(row.values[0].predicted.value()).epsilon(1e-6));
    CHECK(mean("metrics", "tpot_s") == Approx(row.values[1].predicted.value()).epsilon(1e-6));
    CHECK(mean("rates", "requests_per_s") == Approx(row.values[3].predicted.value()).epsilon(1e-6));
}

TEST_CASE("users of one request each send as many as they are, of 42 and 285 tokens") {
    const Json answer =
        simulated(words("--model llama-13b --node a100-40gb-sxm-8 --engine tgi-lightllm-2023 --tensor-parallel 4 "
                        "--users 64 --protocol one-each --ttft 3s"),
                  cli::shipped_data);
    CHECK(answer.at("simulated").at("requests") == 64);
    CHECK(answer.at("load").at("prompt_tokens_mean") == 42);
    CHECK(answer.at("load").at("output_tokens_mean") == 285);
}

TEST_CASE("a curve, spikes and sessions of a rate come at that rate") {
    const auto rate = [](const std::vector<std::string>& options) {
        std::vector<std::string> all{round_scenario, "--requests", "20000", "--warm-up", "none"};
        all.insert(all.end(), options.begin(), options.end());
        return simulated(all).at("rates").at("requests_per_s").at("mean").get<double>();
    };
    // Whole periods of a second: the mean of the curve, and 0.9 + 0.1 x 3 of the base rate with spikes.
    CHECK(rate({"--rate", "8/s", "--diurnal", "1.8", "--set", "load.diurnal.period=1s"}) == Approx(8).epsilon(0.03));
    CHECK(rate({"--rate", "8/s", "--spikes", "period=1s,length=100ms,factor=3"}) == Approx(9.6).epsilon(0.03));
    CHECK(rate({"--rate", "8/s", "--sessions", "4", "--think-time", "1s"}) == Approx(8).epsilon(0.03));
    CHECK(rate({"--rate", "8/s", "--arrivals", "weibull", "--cv", "2"}) == Approx(8).epsilon(0.05));
}

TEST_CASE("requests that must make room go to the host and back on request") {
    const std::vector<std::string> full{round_scenario, "--users", "400", "--requests", "1000", "--kv-blocks", "200"};
    const auto with = [&](std::vector<std::string> options) {
        options.insert(options.begin(), full.begin(), full.end());
        return simulated(options);
    };
    const Json recomputed = with({});
    CHECK(recomputed.at("replica").at("preemptions").get<int>() > 0);
    const Json swapped = with({"--preemption", "swap"});
    CHECK(swapped.at("replica").at("preemptions").get<int>() > 0);
    CHECK(swapped.at("metrics") != recomputed.at("metrics"));
    // Without host memory they are computed again.
    CHECK(with({"--preemption", "swap", "--set", "simulation.preemption.host_blocks=0"}).at("metrics").at("tpot_s") ==
          recomputed.at("metrics").at("tpot_s"));
    CHECK(
        refusal({round_scenario, "--preemption", "swap", "--scheduler", "vllm-v1"}) ==
        "plimsoll: --preemption: /simulation/preemption: preemption by swapping is a rule of the scheduler vllm-v0\n");
}

TEST_CASE("pools of different replicas get the whole load") {
    const Json answer = simulated({round_scenario, "--requests", "1000", "--set", "load.users=60", "--set",
                                   R"(simulation.pools=[{"replicas": 2, "tensor_parallel": 1},
                                                        {"replicas": 1, "node": "round-node-2", "tensor_parallel": 2}])"});
    CHECK(answer.at("load").at("users") == 60);
    CHECK(answer.at("setup").at("replicas") == 3);
    CHECK(answer.at("forecast").is_null());
    CHECK(refusal({round_scenario, "--set", R"(simulation.pools=[{"replicas": 1, "tensor_parallel": 8}])"}) ==
          "plimsoll: --set simulation.pools=[{\"replicas\": 1, \"tensor_parallel\": 8}]: /simulation/pools/0: "
          "round-node-4 has 4 GPUs, not 8\n");
}

TEST_CASE("a scenario may name a recording, and how much faster it comes") {
    const cli::TemporaryFolder folder;
    folder.write("rows.csv", cli::read("tests/cli/tables/workload.csv"));
    folder.write("replayed.json", R"({"schema": "plimsoll/scenario/1", "name": "replayed", "models": "round-model",
        "nodes": "round-node-4", "engines": "round-engine", "workload": "round-chat", "load": {"rate": "1 /s"},
        "slo": {"ttft_mean": "1s"}, "simulation": {"recording": {"file": "rows.csv", "speed": 2}}})");
    const Json answer = simulated({folder.path() + "/replayed.json", "--requests-out", folder.path() + "/out.csv"});
    CHECK(answer.at("load").at("kind") == "trace");
    CHECK(answer.at("simulated").at("requests") == 4);
    // The second request comes at 0.51 s.
    CHECK(plimsoll::Csv::from_file(folder.path() + "/out.csv").number(1, "arrived_at").value() == 0.255);
    CHECK_THAT(refusal({round_scenario, "--set", "simulation.recording.speed=2"}),
               ContainsSubstring("there is no 'file', and no --workload FILE either"));
}

TEST_CASE("what a plan leaves out of a scenario it says") {
    const Json mixed = answer_of({"plan", "tests/cli/scenarios/mixture.json", "--referee", "none"});
    CHECK(mixed.at("left_out") ==
          Json{"the law of the arrivals (gamma, cv 2): the plan is for Poisson arrivals",
               "the promises of each class (short, long): the plan is for one workload, pooled by their shares, under "
               "'slo'"});
    const Json troubled = answer_of({"plan", "tests/cli/scenarios/troubled.json", "--referee", "none"});
    CHECK(troubled.at("left_out").size() == 2);
    CHECK(answer_of({"plan", round_scenario, "--referee", "none"}).at("left_out").empty());
    CHECK_THAT(run({"compare", round_scenario, "tests/cli/scenarios/troubled.json"}).out,
               ContainsSubstring("troubled: clients that go away or try again"));
}

TEST_CASE("every shipped scenario is simulated") {
    for (const auto& entry : std::filesystem::directory_iterator("scenarios")) {
        if (entry.path().extension() != ".json") continue;
        INFO(entry.path().string());
        const cli::Result result = run({"simulate", entry.path().string(), "--requests", "300"}, cli::shipped_data);
        CHECK(result.errors.empty());
        CHECK(result.code == 0);
    }
}

TEST_CASE("options of a simulation that make no sense together are refused") {
    CHECK(refusal({round_scenario, "--replicas", "2", "--prefill-replicas", "2"}) ==
          "plimsoll: --prefill-replicas: says the same as --replicas\n");
    CHECK_THAT(refusal({round_scenario, "--spikes", "1h"}),
               ContainsSubstring("--spikes: expected KEY=VALUE,..., got '1h'"));
    CHECK_THAT(refusal({round_scenario, "--decode-replicas", "2", "--kv-link", "round-nic"}),
               ContainsSubstring("unknown link 'round-nic'"));
    CHECK_THAT(
        refusal({round_scenario, "--scheduler", "static-batching", "--decode-replicas", "2", "--set",
                 "simulation.disaggregation.link.latency=1us", "--set",
                 "simulation.disaggregation.link.bandwidth=1GB/s"}),
        ContainsSubstring("the scheduler static-batching prefills whole prompts and cannot decode for other replicas"));
    CHECK_THAT(refusal({round_scenario, "--set", "simulation.engine.chunk_tokens=512"}),
               ContainsSubstring("'chunk_tokens' is a setting of the scheduler sglang, not of vllm-v0"));
    CHECK_THAT(refusal({round_scenario, "--users", "1", "--set",
                        R"(load.classes=[{"name": "a", "share": 0.9}, {"name": "b", "share": 0.1}])"}),
               ContainsSubstring("load.classes: the share of 'b' is less than one of 1 users"));
    std::vector<std::string> arguments = words(recorded + "--decode-replicas 2 --kv-link nvlink-3");
    arguments.erase(arguments.begin());
    CHECK_THAT(refusal(arguments), ContainsSubstring("unknown link 'nvlink-3'"));
}
