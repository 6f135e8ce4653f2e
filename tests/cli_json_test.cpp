#include "tests/cli_json.hpp"

#include <nlohmann/json.hpp>

#include "cli/scenario_options.hpp"
#include "tests/catch.hpp"
#include "tests/cli_run.hpp"

using cli::answer_of;
using cli::documented;
using cli::keys_of;
using cli::run;
using Json = nlohmann::json;

TEST_CASE("a plan in JSON has the documented keys, all of them and no others") {
    const Json plan = answer_of({"plan", "tests/cli/scenarios/round.json"});
    std::set<std::string> top;
    for (const auto& entry : plan.items()) top.insert(entry.key());
    std::set<std::string> expected = documented("# JSON output");
    expected.merge(documented("## `plan`"));
    CHECK(top == expected);
    const std::set<std::string> of_answer = documented("### An answer or a candidate");
    CHECK(of_answer.size() > 40);
    for (const char* list : {"answers", "candidates"}) {
        CHECK_FALSE(plan.at(list).empty());
        for (const Json& answer : plan.at(list)) CHECK(keys_of(answer) == of_answer);
    }
    CHECK(keys_of(plan.at("comparisons").at(0)) == documented("### A comparison"));
    CHECK(plan.at("schema_version") == 1);
    CHECK(plan.at("scenario").at("name") == "round");
    CHECK(plan.at("assumptions").at(0).is_string());
}

TEST_CASE("the referee adds what it simulated and changes nothing else, whatever the threads") {
    const std::vector<std::string> question{"plan", "tests/cli/scenarios/round.json"};
    const auto with = [&](const std::vector<std::string>& options) {
        std::vector<std::string> all = question;
        all.insert(all.end(), options.begin(), options.end());
        return answer_of(all);
    };
    Json none = with({"--referee", "none"}), fast = with({});
    CHECK(fast == with({"--threads", "7"}));
    CHECK(none.at("answers") != fast.at("answers"));
    for (Json* plan : {&none, &fast})
        for (Json& answer : plan->at("answers")) {
            const Json& simulated = answer.at("simulated");
            CHECK(simulated.at("users_per_instance").is_null() == (plan == &none));
            if (plan == &fast) {
                const double users = answer.at("users_per_instance"), of_runs = simulated.at("users_per_instance");
                CHECK(simulated.at("gap_users") == Approx(users / of_runs - 1.0));
                CHECK(simulated.at("ttft_s").at("p50") <= simulated.at("ttft_s").at("p99"));
            }
            answer.erase("simulated");
        }
    CHECK(none == fast);
    CHECK(run({"plan", question[1], "--referee", "none"}).out.find("imulated") == std::string::npos);
}

TEST_CASE("a plan within bounds says what they carry where nothing keeps them") {
    const std::vector<std::string> question{"plan", "tests/cli/scenarios/round.json", "--referee", "none"};
    std::vector<std::string> bounded = question;
    bounded.insert(bounded.end(), {"--max-nodes", "1"});
    const Json free = answer_of(question), answer = answer_of(bounded, cli::round_data, 3);
    for (std::size_t i = 0; i < 2; ++i) {
        const Json &without = free.at("answers").at(i), &with = answer.at("answers").at(i);
        CHECK(with.at("nodes").is_null());
        CHECK(without.at("within_bounds").at("users").is_null());
        CHECK(with.at("beyond_bounds").at("nodes") == without.at("nodes"));
        CHECK(with.at("within_bounds").at("nodes") == 1);
        CHECK(with.at("within_bounds").at("users") == without.at("users_per_node"));
        CHECK(with.at("reason").get<std::string>().ends_with("nodes, more than the 1 allowed"));
    }
    const std::string said = run(bounded, cli::round_data, 400).out;
    CHECK(said.find("no candidate keeps the promises within 1 node. The most within that is ") != said.npos);
    // 730 hours make a month.
    const double hourly = free.at("answers").at(0).at("cost_usd_per_hour");
    const auto within = [&](double monthly) {
        std::vector<std::string> all = question;
        all.insert(all.end(), {"--max-cost", std::to_string(monthly) + " USD/month"});
        return answer_of(all).at("answers").at(0).at("nodes");
    };
    CHECK(within(hourly * 730.0 * 1.001) == free.at("answers").at(0).at("nodes"));
    bounded.back() = "5";
    bounded.insert(bounded.end(), {"--set", "load.users=1"});
    CHECK(answer_of(bounded).at("answers").at(0).at("nodes") == 1);
}

TEST_CASE("more sequences than the engine's default are had by asking for them") {
    // vLLM V0 runs 256 at once by default; a small model leaves cache for thousands.
    const auto plan = [](const std::string& sequences) {
        std::vector<std::string> question = cli::words(
            "plan --model llama-3.2-1b --node h100-80gb-sxm-8 --engine vllm-v0 --tensor-parallel 1 --users 20000 "
            "--prompt-tokens 100 --output-tokens 400 --think-time 1s --ttft 1s --tpot 100ms");
        if (!sequences.empty()) question.insert(question.end(), {"--max-sequences", sequences});
        return answer_of(question, cli::shipped_data).at("answers").at(0);
    };
    const Json usual = plan(""), more = plan("1000");
    CHECK(usual.at("max_sequences") == 256);
    CHECK(more.at("max_sequences") == 1000);
    const auto twice = [&](const Json& few, const Json& many) {
        return many.at("users_per_instance").get<double>() > 2.0 * few.at("users_per_instance").get<double>();
    };
    CHECK(twice(usual, more));
    CHECK(twice(usual.at("simulated"), more.at("simulated")));
}

TEST_CASE("an answer names what is not certain of its engine") {
    const Json plan =
        answer_of({"plan", "--model", "llama-13b", "--node", "a100-40gb-sxm-8", "--engine", "tgi-lightllm-2023",
                   "--users", "100", "--workload", "chat", "--think-time", "2s", "--ttft", "3s", "--referee", "none"},
                  cli::shipped_data);
    const Json& assumed = plan.at("assumptions");
    CHECK(std::any_of(assumed.begin(), assumed.end(), [](const Json& sentence) {
        return sentence.get<std::string>().starts_with("tgi-lightllm-2023, admission = ");
    }));
}

TEST_CASE("numbers of a plan in JSON agree with each other") {
    const Json plan = answer_of({"plan", "tests/cli/scenarios/round.json"});
    CHECK(plan.at("answers").size() == 2);
    for (const Json& answer : plan.at("answers")) {
        const int gpus_per_node = answer.at("node") == "round-node-2" ? 2 : 4;
        CHECK(answer.at("gpus") == answer.at("nodes").get<int>() * gpus_per_node);
        CHECK(answer.at("users_per_node") ==
              answer.at("users_per_instance").get<int>() * answer.at("instances_per_node").get<int>());
        CHECK(answer.at("nodes_needed").get<int>() * answer.at("users_per_node").get<int>() >= 10000);
        CHECK((answer.at("nodes_needed").get<int>() - 1) * answer.at("users_per_node").get<int>() < 10000);
        CHECK(answer.at("ttft_s").at("mean").get<double>() <= 1.0);
        CHECK(answer.at("tpot_s").at("p50").get<double>() <= answer.at("tpot_s").at("p99").get<double>());
        // Every request has 100 output tokens.
        CHECK(answer.at("output_tokens_per_s").get<double>() ==
              Approx(100 * answer.at("request_rate_per_s").get<double>()).epsilon(1e-6));
        // USD/h over million tokens/h.
        CHECK(answer.at("cost_usd_per_million_tokens").get<double>() ==
              Approx(answer.at("cost_usd_per_hour").get<double>() /
                     (answer.at("output_tokens_per_s").get<double>() * 3600 / 1e6))
                  .epsilon(1e-6));
    }
}

TEST_CASE("what is unknown or not finite is null in JSON") {
    const Json plan = answer_of({"plan", "tests/cli/scenarios/impossible.json"}, cli::round_data, 3);
    for (const Json& answer : plan.at("answers")) {
        CHECK(answer.at("nodes").is_null());
        CHECK(answer.at("ttft_s").at("mean").is_null());
        CHECK(answer.at("reason").is_string());
    }
    const Json open = answer_of({"plan", "tests/cli/scenarios/round.json", "--set", "load={\"rate\": \"100 /s\"}"});
    CHECK(open.at("answers").at(0).at("users_per_node").is_null());
    CHECK(open.at("answers").at(0).at("rate_per_node_per_s").get<double>() > 0);
}

TEST_CASE("the operators of an explained step add up to the step") {
    const Json explained =
        answer_of(cli::words("explain --model round-model --node round-node-2 --engine round-engine "
                             "--tensor-parallel 2 --batch 10 --context 300 --prompt 200"));
    for (const char* step : {"prefill", "decode"}) {
        const double total = explained.at(step).at("time_s").get<double>();
        for (const char* list : {"operators", "document_operators"}) {
            double time = 0, share = 0;
            for (const Json& op : explained.at(step).at(list)) {
                time += op.at("time_s").get<double>();
                share += op.at("share").get<double>();
            }
            CHECK(time == Approx(total).epsilon(1e-9));
            CHECK(share == Approx(1).epsilon(1e-9));
        }
    }
    // Gate and up projections of 10 layers, 10 rows, 1000 x 4000 a rank: 2 x 10 x 1000 x 4000 x 10 flop.
    for (const Json& op : explained.at("decode").at("operators"))
        if (op.at("operator") == "gate_up_projection") CHECK(op.at("flop").get<double>() == Approx(8e8));
}

TEST_CASE("a comparison in JSON gives changes as fractions") {
    const Json compared = answer_of({"compare", "tests/cli/scenarios/round.json", "tests/cli/scenarios/twice.json"});
    CHECK(compared.at("baseline") == "round");
    const Json& rows = compared.at("comparison");
    REQUIRE(rows.size() == 2);
    CHECK_FALSE(rows.at(0).contains("change"));
    const double nodes = rows.at(0).at("nodes"), more = rows.at(1).at("nodes");
    CHECK(rows.at(1).at("change").at("nodes").get<double>() == Approx(more / nodes - 1));
    CHECK(rows.at(1).at("change").at("ttft_s").contains("mean"));
}

TEST_CASE("a model's derived facts in JSON are those of its dimensions") {
    const Json shown = answer_of({"show", "round-model"});
    // 2 x 2 heads x 100 values x 2 bytes x 10 layers.
    CHECK(shown.at("derived").at("kv_bytes_per_token") == 8000);
    // A layer: 1000 x 1000 (q) + 2 x 1000 x 200 (k, v) + 1000 x 1000 (o) + 3 x 1000 x 4000 + 2 norms of 1000;
    // twice 10000 x 1000 for embedding and head; a final norm of 1000.
    CHECK(shown.at("derived").at("parameters") ==
          10 * (1000000 + 400000 + 1000000 + 12000000 + 2000) + 20000000 + 1000);
}

TEST_CASE("the serving matrix's summary has its documented keys") {
    const Json validated = answer_of({"validate", "tests/cli/measurements/a100.csv"}, cli::shipped_data);
    for (const char* column : {"ttft", "tpot", "users", "request_rate"})
        for (const char* key : {"n", "median_ape", "p90_ape", "bias", "baseline_median_ape"})
            CHECK(validated.at("summary").at(column).contains(key));
    CHECK(validated.at("rows").size() == 3);
    CHECK(validated.at("rows").at(0).at("skipped").is_string());
    CHECK(validated.at("rows").at(1).at("tpot_s").at("measured") == 0.03);
}

TEST_CASE("options become overrides of the scenario's fields") {
    plimsoll::Arguments arguments;
    arguments.set("model", {"a", "b\"c"}, true);
    arguments.set("tensor-parallel", {"2", "4"}, true);
    arguments.set("users", {"10000"}, true);
    arguments.set("think-time", {"2s"}, true);
    arguments.set("ttft", {"3.15s"}, true);
    arguments.set("statistic", {"p95"}, true);
    arguments.set("set", {"cost.mode=rent", "load.users=5"}, true);
    const auto overrides = plimsoll::overrides_of(arguments);
    const std::vector<std::pair<std::string, std::string>> expected{{"models", R"(["a","b\"c"])"},
                                                                    {"tensor_parallel", "[2,4]"},
                                                                    {"load.users", "10000"},
                                                                    {"load.think_time", "\"2s\""},
                                                                    {"slo.ttft_p95", "\"3.15s\""},
                                                                    {"cost.mode", "rent"},
                                                                    {"load.users", "5"}};
    REQUIRE(overrides.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(overrides[i].path == expected[i].first);
        CHECK(overrides[i].value == expected[i].second);
    }
    CHECK(overrides[4].place == "--ttft");
}
