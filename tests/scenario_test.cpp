#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "model/base/error.hpp"
#include "scenarios/defaults.hpp"
#include "scenarios/reader.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;
namespace fs = std::filesystem;

namespace {

const fs::path shipped_scenarios = fs::path(PLIMSOLL_SOURCE_DIR) / "scenarios";

Catalog& catalog() {
    static Catalog shipped({PLIMSOLL_SOURCE_DIR});
    return shipped;
}

constexpr const char* small = R"({"schema": "plimsoll/scenario/1", "name": "small", "models": "llama-13b",
    "nodes": "a30-24gb-pcie-8", "engines": "tgi-lightllm-2023", "workload": "chat",
    "load": {"users": 100}, "slo": {"ttft_mean": "3 s"}})";

/// Reads `small` with "path", "value" pairs set.
Scenario changed(const std::vector<std::pair<std::string, std::string>>& settings) {
    std::vector<Override> overrides;
    for (const auto& [path, value] : settings) overrides.push_back({path, value, "--set " + path});
    return parse_scenario(small, "small.json", overrides, catalog());
}

/// A directory for one test, empty at first and gone at the end.
class Scratch {
  public:
    explicit Scratch(const std::string& name) : root_(fs::temp_directory_path() / ("plimsoll-" + name)) {
        fs::remove_all(root_);
        fs::create_directories(root_ / "inside");
    }
    ~Scratch() { fs::remove_all(root_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    std::string write(const std::string& file, const std::string& text) const {
        std::ofstream(root_ / file) << text;
        return (root_ / file).string();
    }
    [[nodiscard]] fs::path path(const std::string& file) const { return root_ / file; }

  private:
    fs::path root_;
};

std::string message_of(const std::string& file) {
    try {
        static_cast<void>(read_scenario(file, {}, catalog()));
    } catch (const InputError& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("scenario: every shipped file loads under a name of its own, the name of the file") {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(shipped_scenarios)) {
        if (entry.path().extension() != ".json") continue;
        INFO(entry.path());
        const Scenario scenario = read_scenario(entry.path().string(), {}, catalog());
        CHECK(scenario.name == entry.path().stem());
        CHECK(!scenario.description.empty());
        names.insert(scenario.name);
    }
    CHECK(names.size() >= 6);
}

TEST_CASE("scenario: the question of the source documents is read as they put it") {
    const Scenario scenario = read_scenario((shipped_scenarios / "chat-10k-users.json").string(), {}, catalog());
    CHECK(scenario.models.size() == 3);
    CHECK(scenario.nodes.size() == 5);
    REQUIRE(scenario.engines.size() == 1);
    CHECK(scenario.engines[0]->name == "tgi-lightllm-2023");
    CHECK(scenario.weights == std::vector<Dtype>{Dtype::fp16});
    CHECK(scenario.load.kind == Load::Kind::closed);
    CHECK(scenario.load.concurrent_users() == 10000);
    CHECK(scenario.load.think_time.mean() == Approx(2.0));
    CHECK(scenario.workload.prompt.mean() == Approx(237.4));
    CHECK(to_text(scenario.slo) == "TTFT mean < 3.15 s, TPOT mean < 100 ms");
    CHECK(!scenario.cost.rented);
    // The documents' table has eleven rows, and 10,000 users over users a node round up to the nodes.
    REQUIRE(scenario.measured.size() == 11);
    for (const MeasuredValue& value : scenario.measured) {
        INFO(value.model->name << " on " << value.node->name);
        CHECK(std::count(scenario.models.begin(), scenario.models.end(), value.model) == 1);
        CHECK(std::count(scenario.nodes.begin(), scenario.nodes.end(), value.node) == 1);
        CHECK(*value.nodes * *value.users_per_node >= 10000);
        CHECK((*value.nodes - 1) * *value.users_per_node < 10000);
        CHECK(*value.users_per_instance * value.instances_per_node == *value.users_per_node);
        CHECK(value.tensor_parallel * value.instances_per_node <= value.node->gpus);
    }
}

TEST_CASE("scenario: a default is stated unless the field is given") {
    using Settings = std::vector<std::pair<std::string, std::string>>;
    // Where each default can be taken, with a value other than it.
    const Settings drain{{"load.drain.requests", "250"}}, queue{{"load.protocol", "shared-queue"}};
    const Settings divides{{"engines", "vllm-v1"}};
    const Settings rate{{"load.users", "null"}, {"load.rate", "5/s"}, {"load.arrivals", "gamma"}};
    const Settings curve{{"load.users", "null"}, {"load.rate", "5/s"}, {"load.diurnal", "{}"}};
    const Settings clients{{"simulation.clients.patience", "5s"}};
    const Settings retries{{"simulation.clients.retries", "1"}};
    const Settings failures{{"simulation.failures.mean_up", "1h"}};
    const Settings split{{"simulation.disaggregation.decode.replicas", "1"},
                         {"simulation.disaggregation.link", "nvlink-3"}};
    struct Case {
        std::string path;
        Settings where;
        std::string field, value;
    };
    const std::vector<Case> cases{
        {"nodes", {{"nodes", "null"}}, "nodes", "a40-48gb-pcie-8"},
        {"engines", {{"engines", "null"}}, "engines", "tgi-lightllm-2023"},
        {"compare_nodes", drain, "compare_nodes", "false"},
        {"weights", drain, "weights", "fp16"},
        {"kv_cache", drain, "kv_cache", "fp8"},
        {"tensor_parallel", drain, "tensor_parallel", "4"},
        {"pipeline_parallel", drain, "pipeline_parallel", "2"},
        {"expert_parallel", divides, "expert_parallel", "4"},
        {"attention_data_parallel", divides, "attention_data_parallel", "4"},
        {"context_parallel", divides, "context_parallel", "2"},
        {"hosts_per_instance", divides, "hosts_per_instance", "2"},
        {"instances_per_node", drain, "instances_per_node", "1"},
        {"max_sequences", drain, "max_sequences", "64"},
        {"load.active_share", drain, "load.active_share", "0.5"},
        {"load.peak_factor", drain, "load.peak_factor", "1.5"},
        {"load.think_time", drain, "load.think_time", "2s"},
        {"load.drain.ramp", drain, "load.drain.ramp", "1s"},
        {"load.protocol.ramp", queue, "load.drain.ramp", "2s"},
        {"load.protocol.think_time", queue, "load.think_time", "2s"},
        {"load.cv", rate, "load.cv", "2"},
        {"load.diurnal.period", curve, "load.diurnal.period", "1h"},
        {"load.diurnal.peak", curve, "load.diurnal.peak", "1.2"},
        {"simulation.clients.waits", clients, "simulation.clients.waits", "answer"},
        {"simulation.clients.cancels", clients, "simulation.clients.cancels", "false"},
        {"simulation.clients.retries", clients, "simulation.clients.retries", "3"},
        {"simulation.clients.retry_delay", retries, "simulation.clients.retry_delay", "9s"},
        {"simulation.failures.mean_down", failures, "simulation.failures.mean_down", "9s"},
        {"simulation.lost_requests", failures, "simulation.lost_requests", "resubmit"},
        {"simulation.disaggregation.router", split, "simulation.disaggregation.router", "random"},
        {"simulation.disaggregation.link_of", split, "simulation.disaggregation.link_of", "decode"},
        {"spares", drain, "spares", "N+2"},
        {"headroom", drain, "headroom", "0.2"},
        {"cost.mode", drain, "cost.mode", "own"},
        {"cost.amortization", drain, "cost.amortization", "4 year"},
        {"cost.pue", drain, "cost.pue", "1.2"},
        {"cost.tariff", drain, "cost.tariff", "0.2 USD/kWh"},
        {"profile", drain, "profile", "none"}};
    const auto states = [](const Scenario& scenario, const std::string& path) {
        return std::count_if(scenario.assumptions.begin(), scenario.assumptions.end(), [&](const std::string& text) {
            return text.starts_with(path + " = ") || text.starts_with(path + ": ");
        });
    };
    REQUIRE(cases.size() == scenario_defaults().size());
    for (const ScenarioDefault& known : scenario_defaults()) {
        INFO(known.path);
        CHECK(!known.reason.empty());
        const auto found =
            std::find_if(cases.begin(), cases.end(), [&](const Case& c) { return c.path == known.path; });
        REQUIRE(found != cases.end());
        Settings settings = found->where;
        CHECK(states(changed(settings), found->path) == 1);
        settings.emplace_back(found->field, found->value);
        CHECK(states(changed(settings), found->path) == 0);
    }
}

TEST_CASE("scenario: a scenario that leaves nothing out has no assumptions") {
    const Scenario scenario = changed({{"compare_nodes", "false"},
                                       {"weights", R"(["fp16", "int8"])"},
                                       {"kv_cache", "fp8"},
                                       {"tensor_parallel", "[1, 2]"},
                                       {"pipeline_parallel", "2"},
                                       {"instances_per_node", "1"},
                                       {"max_sequences", "64"},
                                       {"profile", "none"},
                                       {"load", R"({"rate": "90 /min", "peak_factor": 2})"},
                                       {"spares", "N+2"},
                                       {"headroom", "0.2"},
                                       {"cost", R"({"mode": "own", "amortization": "4 year", "pue": 1.2,
                                                    "tariff": "0.36 USD/kWh"})"}});
    // What stays is the engine's own: which of two admission rules the documents ran.
    REQUIRE(scenario.assumptions.size() == 1);
    CHECK(scenario.assumptions.front().find("tgi-lightllm-2023, admission = ") == 0);
    CHECK(!scenario.compare_nodes);
    CHECK(scenario.weights == std::vector<Dtype>{Dtype::fp16, Dtype::int8});
    CHECK(scenario.kv == Dtype::fp8);
    CHECK(scenario.tensor_parallel == std::vector<int>{1, 2});
    CHECK(scenario.pipeline_parallel == std::vector<int>{2});
    CHECK(scenario.max_sequences == std::vector<int>{64});
    CHECK(scenario.load.kind == Load::Kind::open);
    CHECK(scenario.load.peak_rate().value() == Approx(3.0));  // 90 a minute, twice that at the peak
    CHECK(scenario.spares == 2);
    CHECK(scenario.headroom == 0.2);
    CHECK(scenario.cost.amortization.value() == Approx(4 * 365 * 86400.0));
    CHECK(scenario.cost.tariff.value() == Approx(1e-7));  // 1 kWh is 3.6e6 J
}

TEST_CASE("scenario: defaults have the values that the documentation states") {
    const Scenario scenario = changed({});
    CHECK(scenario.compare_nodes);
    CHECK(scenario.weights.empty());
    CHECK(scenario.kv == Dtype::fp16);
    CHECK(scenario.load.active_share == 1.0);
    CHECK(scenario.load.think_time.mean() == 0.0);
    CHECK(!scenario.load.drain);
    CHECK(scenario.spares == 0);
    CHECK(!scenario.cost.rented);
    CHECK(scenario.cost.pue == 1.4);
    CHECK(scenario.cost.amortization.value() == Approx(94608000.0));  // 3 x 365 x 86400 s
    CHECK(scenario.cost.tariff.value() == Approx(0.12 / 3.6e6).epsilon(1e-12));
}

TEST_CASE("scenario: overrides change what the file says, the last one wins") {
    const Scenario scenario = changed({{"load.users", "10"},
                                       {"load.users", "5000"},
                                       {"models", R"(["llama-65b", "meta-llama/Llama-2-70b-hf"])"},
                                       {"models.0", "llama-7b"},
                                       {"slo.ttft_mean", "null"},
                                       {"slo.tpot_p95", "80ms"},
                                       {"prompt_tokens", "900"}});
    CHECK(scenario.load.registered_users == 5000);
    REQUIRE(scenario.models.size() == 2);
    CHECK(scenario.models[0]->name == "llama-7b");
    CHECK(scenario.models[1]->name == "llama-2-70b");
    CHECK(to_text(scenario.slo) == "TPOT p95 < 80.0 ms");
    CHECK(scenario.workload.prompt.mean() == 900);
    CHECK(scenario.workload.output.mean() == Approx(200));
}

TEST_CASE("scenario: all stands for everything on a shelf, alone") {
    const Scenario scenario = changed({{"nodes", "all"}, {"engines", "all"}});
    CHECK(scenario.nodes.size() == catalog().nodes.names().size());
    CHECK(scenario.engines.size() == catalog().engines.names().size());
    CHECK(std::set<const Node*>(scenario.nodes.begin(), scenario.nodes.end()).size() == scenario.nodes.size());
    CHECK_THROWS_WITH(changed({{"nodes", R"(["all", "a40-48gb-pcie-8"])"}}), Catch::Contains("unknown node 'all'"));
}

TEST_CASE("scenario: options alone make a scenario") {
    const std::vector<Override> options{{"models", "llama-13b", "--model"},
                                        {"nodes", "a40-48gb-pcie-8", "--node"},
                                        {"engines", "vllm-v1", "--engine"},
                                        {"load.rate", "5/s", "--rate"},
                                        {"prompt_tokens", "900", "--prompt-tokens"},
                                        {"output_tokens", "geometric:mean=200", "--output-tokens"},
                                        {"slo.ttft_p95", "3s", "--ttft"}};
    const Scenario scenario = make_scenario("options", options, catalog());
    CHECK(scenario.nodes.at(0)->name == "a40-48gb-pcie-8");
    CHECK(scenario.load.rate.value() == 5.0);
    CHECK(scenario.workload.prompt.mean() == 900);
    CHECK_THROWS_WITH(make_scenario("options", {options.begin(), options.end() - 1}, catalog()),
                      "options: the field 'slo' is missing");
}

TEST_CASE("scenario: silent about nodes it asks about all, and it says so") {
    const Scenario scenario = make_scenario("options",
                                            {{"models", "llama-13b", "--model"},
                                             {"load.rate", "5/s", "--rate"},
                                             {"workload", "chat", "--workload"},
                                             {"slo.ttft_p95", "3s", "--ttft"}},
                                            catalog());
    CHECK(scenario.nodes.size() == catalog().nodes.names().size());
    CHECK(scenario.engines.at(0)->name == "vllm-v1");
    const auto says = [&](const std::string& start) {
        return std::any_of(scenario.assumptions.begin(), scenario.assumptions.end(),
                           [&](const std::string& sentence) { return sentence.starts_with(start); });
    };
    CHECK(says("nodes = all"));
    CHECK(says("engines = vllm-v1"));
}

TEST_CASE("scenario: what extends lies over its base, and the result reads as the same question") {
    const Scratch scratch("scenario-extends");
    scratch.write("inside/base.json", small);
    scratch.write("middle.json", R"({"schema": "plimsoll/scenario/1", "extends": "inside/base.json", "name": "middle",
        "nodes": ["v100-32gb-sxm2-8"], "load": {"users": 500, "think_time": "2s"}, "spares": 3})");
    const std::string top =
        scratch.write("top.json", R"({"schema": "plimsoll/scenario/1", "extends": "middle.json", "name": "top",
        "load": {"think_time": null, "users": 700}, "cost": {"mode": "rent", "rental_per_gpu": "3.6 USD/h"}})");
    const Scenario scenario = read_scenario(top, {{"spares", "4", "--set spares=4"}}, catalog());
    CHECK(scenario.name == "top");
    CHECK(scenario.models.at(0)->name == "llama-13b");
    CHECK(scenario.nodes.at(0)->name == "v100-32gb-sxm2-8");
    CHECK(scenario.load.registered_users == 700);
    CHECK(scenario.load.think_time.mean() == 0);
    CHECK(scenario.spares == 4);
    CHECK(scenario.cost.rented);
    CHECK(scenario.cost.rental_per_gpu->value() == Approx(0.001));

    const Scenario again = parse_scenario(scenario.resolved_json, "resolved", {}, catalog());
    CHECK(again.resolved_json == scenario.resolved_json);
    CHECK(again.assumptions == scenario.assumptions);
    CHECK(again.load.registered_users == 700);
    CHECK(again.spares == 4);
}

TEST_CASE("scenario: an error names the file of the chain that it stands in") {
    const Scratch scratch("scenario-place");
    const std::string base = scratch.write("base.json", small);
    const std::string beginning = R"({"schema": "plimsoll/scenario/1", "extends": "base.json", "name": "top", )";
    const std::string top = scratch.write("top.json", beginning + R"("slo": {"ttft_mean": "3 s", "tpot": "1 s"}})");
    CHECK_THAT(message_of(top), ContainsSubstring(top + ": /slo: unknown field 'tpot'"));
    CHECK_THROWS_WITH(read_scenario(scratch.write("top.json", beginning + "\"spares\": 1}"),
                                    {{"headroom", "2", "--headroom"}}, catalog()),
                      "--headroom: /headroom: expected a number from 0 to 0.9, got 2");
    scratch.write("base.json", std::string(small).replace(std::string(small).find("100"), 3, "0"));
    CHECK_THAT(message_of(top), ContainsSubstring(base + ": /load/users: "));
}

TEST_CASE("scenario: links do not lead extends out of the directory") {
    const Scratch scratch("scenario-links");
    scratch.write("secret.json", small);
    const std::string beginning = R"({"schema": "plimsoll/scenario/1", "name": "top", "extends": )";
    fs::create_symlink("../secret.json", scratch.path("inside/way_out.json"));
    fs::create_symlink("secret.json", scratch.path("way_beside.json"));
    CHECK_THAT(message_of(scratch.write("inside/top.json", beginning + "\"way_out.json\"}")),
               ContainsSubstring("'way_out.json' is a link out of the directory of this file"));
    CHECK(message_of(scratch.write("top.json", beginning + "\"way_beside.json\"}")) == "no error");
}

TEST_CASE("scenario: terms of the other kind of cost are checked, and said to be unused") {
    const auto mentions = [](const Scenario& scenario, const std::string& text) {
        return std::count(scenario.assumptions.begin(), scenario.assumptions.end(), text);
    };
    const Scenario owned = changed({{"cost.rental_per_gpu", "2 USD/h"}});
    CHECK(mentions(owned, "cost.rental_per_gpu is given but not used: cost.mode is own") == 1);
    CHECK(!owned.cost.rental_per_gpu);
    const Scenario rented = changed({{"cost.mode", "rent"}, {"cost.tariff", "0.1 USD/kWh"}});
    CHECK(mentions(rented, "cost.tariff is given but not used: cost.mode is rent") == 1);
    CHECK_THROWS_AS(changed({{"cost.mode", "rent"}, {"cost.tariff", "0.1 USD/h"}}), InputError);
}

TEST_CASE("scenario: users beyond the registered ones need a share that allows them") {
    CHECK(changed({{"load.peak_factor", "1.5"}}).load.concurrent_users() == 150);
    CHECK(changed({{"load.peak_factor", "2"}, {"load.active_share", "0.5"}}).load.concurrent_users() == 100);
    CHECK_THROWS_AS(changed({{"load.peak_factor", "2.1"}, {"load.active_share", "0.5"}}), InputError);
}
