#include "cli/serving_fit.hpp"

#include <cmath>

#include <fmt/format.h>

#include "cli/serving_fit_document.hpp"
#include "tests/catch.hpp"
#include "tests/cli_run.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

constexpr const char* header =
    "model,gpu,gpu_mem_gb,link,tp,load,prompt_tokens,output_tokens,users,ttft_s,tpot_s,request_rate_per_s\n";

/// Rows without their latencies: three on A100 over NVLink, four on A30 over PCIe.
const std::vector<std::string> runs{
    "llama-13b,A100,40,nvlink,2,chat,237,220,60",  "llama-13b,A100,40,nvlink,4,chat,237,220,90",
    "llama2-70b,A100,40,nvlink,8,chat,237,180,60", "llama-13b,A30,24,pcie,2,chat,237,220,10",
    "llama-13b,A30,24,pcie,4,chat,237,220,30",     "llama-13b,A30,24,pcie,8,chat,237,220,40",
    "llama-65b,A30,24,pcie,8,chat,237,200,10"};

std::string table_of(const std::vector<std::pair<double, double>>& latencies) {
    std::string text = header;
    for (std::size_t i = 0; i < runs.size(); ++i)
        text += fmt::format("{},{},{},\n", runs[i], latencies[i].first, latencies[i].second);
    return text;
}

ValidationAssumptions assumptions() {
    ValidationAssumptions result;
    result.requests = 120;
    return result;
}

std::vector<const MeasuredRow*> measured_of(const ServingTable& table) {
    std::vector<const MeasuredRow*> rows;
    for (const ServingTableRow& row : table.rows) rows.push_back(&row.measured);
    return rows;
}

double value_of(const ServingCalibration& calibration, const std::string& name) {
    for (std::size_t i = 0; i < calibration.constants.size(); ++i)
        if (calibration.constants[i].name() == name) return calibration.fits.all.values[i];
    FAIL("no constant " << name);
    return 0;
}

/// What reading this text as a table of serving runs complains of.
std::string complaint(const std::string& text) {
    try {
        (void)read_serving_table(Csv::from_text(text, "runs.csv"), assumptions(), plimsoll::testing::library());
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

const std::vector<std::pair<double, double>> plain(runs.size(), {1.0, 0.05});

}  // namespace

TEST_CASE("Constants that made a simulated serving table are found in it") {
    Catalog& catalog = plimsoll::testing::library();
    const ValidationAssumptions with = assumptions();
    const ServingTable table = read_serving_table(Csv::from_text(table_of(plain), "runs.csv"), with, catalog);
    const auto constants = engine_constants(measured_of(table), 3);
    CHECK(constants.size() <= 12);
    // The truth: a host that launches layers a fifth more slowly, an A30 machine slower by a third.
    std::vector<double> truth;
    for (const EngineConstantEntry& entry : constants)
        truth.push_back(entry.value * (entry.name() == "host.per_layer"             ? 1.2
                                       : entry.name() == "a30-24gb-pcie host.speed" ? 0.67
                                                                                    : 1.0));
    std::vector<std::pair<double, double>> latencies;
    for (const ServingTableRow& row : table.rows) {
        const ChangedRow changed(row.measured, constants, truth);
        const InstanceMeans means = RowPredictor(changed.deployment(), row.measured, with).at(row.users);
        latencies.emplace_back(means.ttft.value(), means.tpot.value());
    }
    const Csv made = Csv::from_text(table_of(latencies), "runs.csv");
    const ServingCalibration one = calibrate_serving(made, with, catalog, 1.0, 1);
    for (std::size_t i = 0; i < constants.size(); ++i) {
        INFO(constants[i].name());
        if (truth[i] != constants[i].value)
            CHECK(std::abs(one.fits.all.values[i] / truth[i] - 1.0) <
                  0.5 * std::abs(constants[i].value / truth[i] - 1.0));
        CHECK(one.fits.all.standard_errors[i] <= 1.2 * constants[i].deviation);
    }
    CHECK(one.in_sample_errors[1].model.median < 0.04);
    CHECK(one.default_errors[1].model.median > 0.1);

    SECTION("on any number of threads") {
        const ServingCalibration several = calibrate_serving(made, with, catalog, 1.0, 3);
        CHECK(several.fits.all.values == one.fits.all.values);
        for (std::size_t row = 0; row < runs.size(); ++row) {
            CHECK(several.without_row[row].tpot == one.without_row[row].tpot);
            CHECK(several.without_row[row].users == one.without_row[row].users);
        }
    }
    SECTION("and written as entries that read back, with where they come from") {
        const std::string folder = (std::filesystem::temp_directory_path() / "plimsoll_serving_fit").string();
        std::filesystem::remove_all(folder);
        const auto files = write_serving_entries(one, "tgi-lightllm-2023", folder, "runs.csv", catalog);
        CHECK(files.size() == 2);
        Catalog fitted({PLIMSOLL_SOURCE_DIR, folder});
        const Engine& engine = fitted.engines.at("tgi-lightllm-2023", "test");
        CHECK(engine.host.per_layer.value.value() == Approx(value_of(one, "host.per_layer")).epsilon(1e-3));
        CHECK(engine.host.per_layer.origin == Origin::fitted);
        const Node& node = fitted.nodes.at("a30-24gb-pcie-8", "test");
        CHECK(node.host_speed.value == Approx(value_of(one, "a30-24gb-pcie host.speed")).epsilon(1e-3));
        CHECK(node.host_speed.origin == Origin::fitted);
        const double factor = value_of(one, "a30-24gb-pcie bus_bandwidth");
        const Node& before = catalog.nodes.at("a30-24gb-pcie-8", "test");
        for (std::size_t c = 0; c < node.collectives.size(); ++c)
            CHECK(node.collectives[c].bus_bandwidth / before.collectives[c].bus_bandwidth ==
                  Approx(factor).epsilon(1e-3));
        // The A100 machine is the reference of the hosts and its links are measured.
        CHECK(fitted.nodes.path("a100-40gb-sxm-8").find(folder) == std::string::npos);
        std::filesystem::remove_all(folder);
    }
}

TEST_CASE("Only constants that are unsure are fitted, a machine's own where it has rows enough") {
    Catalog& catalog = plimsoll::testing::library();
    const ServingTable table = read_serving_table(Csv::from_text(table_of(plain), "runs.csv"), assumptions(), catalog);
    const auto names = [&](std::size_t least_rows) {
        std::vector<std::string> result;
        for (const EngineConstantEntry& entry : engine_constants(measured_of(table), least_rows))
            result.push_back(entry.name());
        return result;
    };
    const std::vector<std::string> of_engine{"host.per_step",    "host.per_sequence", "host.per_layer",
                                             "host.per_prefill", "host.per_request",  "collective_overhead",
                                             "kernel_efficiency"};
    CHECK(names(5) == of_engine);
    std::vector<std::string> with_machine = of_engine;
    with_machine.insert(with_machine.end(), {"a30-24gb-pcie host.speed", "a30-24gb-pcie bus_bandwidth"});
    CHECK(names(3) == with_machine);
}

TEST_CASE("Assumptions name what there is") {
    const auto refusal = [](const std::string& engine, const std::string& model) -> std::string {
        try {
            static_cast<void>(read_assumptions(
                Fields::from_text(R"({"schema": "plimsoll/assumptions/1", "engine": ")" + engine +
                                      R"(", "think_time": "2s", "protocol": "drain", "rules": [{"models": [")" + model +
                                      R"("], "reason": "x"}]})",
                                  "assumptions.json"),
                plimsoll::testing::library()));
        } catch (const InputError& error) {
            return error.what();
        }
        return "";
    };
    CHECK(refusal("vllm-v1", "llama-65b").empty());
    CHECK_THAT(refusal("vllm-v9", "llama-65b"), ContainsSubstring("assumptions.json: /engine: unknown engine 'vllm-v9'"));
    CHECK_THAT(refusal("vllm-v1", "llama-66b"), ContainsSubstring("assumptions.json: /rules/0/models: unknown model"));
}

TEST_CASE("A rule gives its campaign a think time and a queue of its own") {
    Catalog& catalog = plimsoll::testing::library();
    const ValidationAssumptions with = read_assumptions(
        Fields::from_text(
            R"({"schema": "plimsoll/assumptions/1", "engine": "tgi-lightllm-2023", "think_time": "2s", "protocol": "drain",
            "requests": 100, "rules": [{"models": ["llama-65b"], "think_time": "0 s", "requests": 400, "reason": "x"}]})",
            "assumptions.json"),
        catalog);
    const Csv table = Csv::from_text(table_of(plain), "runs.csv");
    const auto row = [&](std::size_t i) { return measured_row(table, i, with, catalog); };
    const MeasuredRow of_rule = row(6), of_none = row(3);
    CHECK(of_rule.think_time.mean() == 0.0);
    CHECK(of_none.think_time.mean() == 2.0);
    // Two requests a user at least, whatever the queue.
    CHECK(RowPredictor(of_rule.deployment, of_rule, with).queue(10) == 400);
    CHECK(RowPredictor(of_rule.deployment, of_rule, with).queue(250) == 500);
    CHECK(RowPredictor(of_none.deployment, of_none, with).queue(10) == 100);
    const auto rate = [&](const MeasuredRow& run) {
        return RowPredictor(run.deployment, run, with).at(10, 2).request_rate.value();
    };
    MeasuredRow thinking = row(6);
    thinking.think_time = of_none.think_time;
    CHECK(rate(of_rule) > rate(thinking));
}

TEST_CASE("A table of serving runs that cannot be right is refused by the row") {
    const std::string good = table_of(plain);
    CHECK(complaint(good).empty());
    const auto with_row = [&](const std::string& row) { return complaint(good + row + "\n"); };
    const std::string run = "llama-13b,A40,48,pcie,2,chat,237,220,60,";
    CHECK(with_row(run + "-1,0.05,") == "runs.csv:9 ttft_s: expected a number above 0, not '-1'");
    CHECK(with_row(run + "1,0,") == "runs.csv:9 tpot_s: expected a number above 0, not '0'");
    CHECK(with_row(run + "1,50,") == "runs.csv:9 tpot_s: '50' s is no latency of a server: are these milliseconds?");
    CHECK(with_row(run + ",0.05,") == "runs.csv:9 ttft_s: a fit needs it");
    CHECK(with_row(run + "nan,0.05,").starts_with("runs.csv:9 ttft_s: "));
    CHECK(with_row(runs[0] + ",1,0.05,") == "runs.csv:9: the same run as runs.csv:2");
    CHECK(complaint("model,gpu\nllama-13b,A40\n").find("ttft_s") != std::string::npos);
    CHECK(complaint(good.substr(0, good.find("llama2-70b"))) == "runs.csv: 2 rows can be predicted; a fit needs 5");
}

TEST_CASE("calibrate fit asks for one table of one kind") {
    const cli::Result both = cli::run({"calibrate", "fit", "--serving", "a.csv", "--from", "b.csv"});
    CHECK(both.code == 2);
    CHECK(both.errors.find("--serving fits another kind of table") != std::string::npos);
    CHECK(cli::run({"calibrate", "fit", "--serving", "nowhere.csv"}, cli::shipped_data).code == 4);
}

namespace {

/// A deployment of the documents for 10,000 users.
struct Published {
    std::string model, gpu;
    int tensor_parallel, instances;
};
const std::vector<Published> deployments{
    {"llama-13b", "a30", 4, 2},   {"llama-13b", "a40", 2, 2},  {"llama-13b", "v100", 8, 1},
    {"llama-13b", "a100", 4, 2},  {"llama-65b", "a30", 8, 1},  {"llama-65b", "a40", 4, 1},
    {"llama-65b", "v100", 8, 1},  {"llama-65b", "a100", 8, 1}, {"llama2-70b", "v100", 8, 1},
    {"llama2-70b", "a100", 8, 1}, {"llama2-70b", "a40", 4, 2}};

/// Node counts, each without its own row, that are within a fifth of those that the measured users ask for.
int node_counts_within_a_fifth(const ServingCalibration& fit) {
    int within = 0;
    for (const Published& p : deployments)
        for (std::size_t i = 0; i < fit.table.rows.size(); ++i) {
            const ServingTableRow& row = fit.table.rows[i];
            const Deployment& d = row.measured.deployment;
            if (row.campaign != p.model + " chat" || !d.gpu->name.starts_with(p.gpu + "-") ||
                d.tensor_parallel != p.tensor_parallel)
                continue;
            const auto nodes = [&](double users) { return std::ceil(10000.0 / (users * p.instances)); };
            const int predicted = fit.without_row[i].users;
            if (predicted > 0 && std::abs(nodes(predicted) / nodes(row.users) - 1.0) <= 0.2) ++within;
        }
    return within;
}

}  // namespace

TEST_CASE("The documents' serving matrix: rows and campaigns left out stay within the bar") {
    const auto file = plimsoll::testing::measurements("source_documents/serving_matrix.csv");
    if (!file) {
        WARN("skipped: the documents' table is not here (PLIMSOLL_SHARED)");
        return;
    }
    Catalog& catalog = plimsoll::testing::library();
    const ServingCalibration fit =
        calibrate_serving(Csv::from_file(*file), assumptions_named("serving-matrix-2023", catalog), catalog, 1.0, 2);
    CHECK(fit.table.rows.size() == 35);
    CHECK(fit.table.skipped.size() == 1);
    CHECK(fit.constants.size() <= 12);
    const auto& [ttft, tpot, users] = fit.leave_one_out;
    CHECK(ttft.model.median < 0.17);
    CHECK(tpot.model.median < 0.07);
    CHECK(tpot.model.p90 < 0.28);
    CHECK(users.model.median < 0.14);
    CHECK(tpot.model.median < 0.5 * tpot.constant.median);
    CHECK(users.model.median < 0.5 * users.constant.median);
    CHECK(fit.leave_one_campaign_out[1].model.median < 0.09);
    CHECK(node_counts_within_a_fifth(fit) >= 8);
    for (std::size_t i = 0; i < fit.constants.size(); ++i) {
        INFO(fit.constants[i].name());
        CHECK(fit.fits.all.values[i] > 0);
        if (fit.constants[i].constant == EngineConstant::kernel_efficiency) CHECK(fit.fits.all.values[i] < 1.0);
    }
}
