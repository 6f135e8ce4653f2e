#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "tests/cli_json.hpp"
#include "tests/cli_run.hpp"

// simulate --highest-load
using cli::answer_of;
using cli::documented;
using cli::keys_of;
using cli::run;
using cli::words;
using Json = nlohmann::json;

namespace {

const std::string round_scenario = "tests/cli/scenarios/round.json";
/// An engine that takes 8 ms for a prompt of 16 tokens (tests/cli/tables, four layers).
const std::string tables =
    "simulate --cost-tables tests/cli/tables --layers 4 --scheduler sarathi --max-step-tokens 64 --kv-blocks 100 ";

Json simulated(const std::string& line) {
    return answer_of(words(line), cli::round_data, 0);
}
std::string refusal(const std::string& line) {
    const cli::Result result = run(words(line));
    CHECK(result.code == 2);
    return result.errors;
}

}  // namespace

TEST_CASE("simulate finds the highest rate of a queue that has a formula, and simulates it") {
    // A prompt of 16 tokens alone takes 8 ms: M/D/1. 8 ms + u 8 ms / (2 (1 - u)) = 12 ms at u = 1/2 (Pollaczek,
    // Khinchine), 62.5 requests a second. Two replicas behind a random router are two such queues.
    std::string line = tables +
                       "--max-sequences 1 --prompt-tokens 16 --output-tokens 1 --rate 10/s --ttft 12ms --statistic "
                       "mean --requests 20000 --highest-load";
    for (const char* replicas : {"", " --replicas 2 --router random"}) {
        INFO(replicas);
        const Json answer = simulated(line + replicas);
        const Json& highest = answer.at("highest_load");
        CHECK(keys_of(highest) == documented("### `highest_load`"));
        CHECK(highest.at("rate_per_instance_per_s").get<double>() == Approx(62.5).epsilon(0.03));
        CHECK(highest.at("rate_interval_per_s").at("low").get<double>() <= 62.5);
        CHECK(highest.at("rate_interval_per_s").at("high").get<double>() >= 62.5);
        CHECK(highest.at("users_per_instance").is_null());
        CHECK(highest.at("gap").is_null());
        const double instances = answer.at("setup").at("replicas").get<double>();
        CHECK(answer.at("load").at("rate_per_s").get<double>() ==
              Approx(instances * highest.at("rate_per_instance_per_s").get<double>()));
        CHECK(answer.at("metrics").at("ttft_s").at("mean").get<double>() == Approx(0.012).epsilon(0.1));
        CHECK(answer.at("trials").size() > 4);
    }
    CHECK_THAT(refusal(line + " --cv 2"), ContainsSubstring("--cv"));
    CHECK_THAT(refusal(tables + "--max-sequences 1 --workload tests/cli/tables/workload.csv --ttft 1s --highest-load"),
               ContainsSubstring("not for trace"));
    CHECK_THAT(refusal(tables + "--max-sequences 1 --rate 1/s --prompt-tokens 16 --output-tokens 1 --highest-load"),
               ContainsSubstring("needs promises"));
    // 8 ms are too long whatever the load.
    CHECK(run(words(line.replace(line.find("12ms"), 4, "7ms"))).code == 3);
}

TEST_CASE("no rate is carried that comes faster than it is answered, whatever is promised") {
    // One request at a time: the most is one over what a lone one takes, and nothing is promised of the queue.
    const std::string line = tables + "--max-sequences 1 --prompt-tokens 16 --output-tokens 2 --tpot 1s ";
    const double lone = simulated(line + "--users 1").at("metrics").at("e2e_s").at("mean").get<double>();
    const Json answer = simulated(line + "--rate 10/s --highest-load --requests 5000");
    const double most = answer.at("highest_load").at("rate_per_instance_per_s").get<double>();
    CHECK(most * lone >= 0.99);
    CHECK(most * lone <= 1.1);
}

TEST_CASE("simulate finds the most users beside the forecast, the same on any number of threads") {
    const std::string line = "simulate " + round_scenario + " --requests 3000 --highest-load --threads ";
    const Json answer = simulated(line + "1"), again = simulated(line + "3");
    CHECK(answer == again);
    const Json& highest = answer.at("highest_load");
    CHECK(highest.at("users_per_instance") == answer.at("load").at("users"));
    const double users = highest.at("users_per_instance").get<double>();
    CHECK(highest.at("gap").get<double>() ==
          Approx(highest.at("forecast_users_per_instance").get<double>() / users - 1.0));
    // plan's referee searches with less work, from the same forecast.
    const Json plan = answer_of({"plan", round_scenario});
    for (const Json& best : plan.at("answers"))
        if (best.at("node") == answer.at("deployment").at("node"))
            CHECK(best.at("simulated").at("users_per_instance").get<double>() == Approx(users).epsilon(0.03));
    for (const Json& trial : answer.at("trials"))
        CHECK((trial.at("ratio").at("mean") <= 1.0) == (trial.at("users").get<double>() <= users));
}

TEST_CASE("an interrupted search answers with the loads that it has tried") {
    const cli::TemporaryFolder folder;
    const std::string out = folder.path() + "/out.json";
    const std::string command =
        "timeout --preserve-status -s INT 1 " + std::string(PLIMSOLL_BINARY) + " " + tables +
        "--max-sequences 8 --users 20000 --think-time 1000s --prompt-tokens 16 --output-tokens 4 --ttft 1s "
        "--highest-load --threads 1 --format json >" +
        out;
    CHECK(cli::shell(command).code == 130);
    const Json answer = Json::parse(cli::read(out));
    CHECK(answer.at("interrupted") == true);
    CHECK(answer.at("highest_load").at("interrupted") == true);
    CHECK(answer.at("highest_load").at("users_interval").at("low") <=
          answer.at("highest_load").at("users_interval").at("high"));
}
