// Simulations beside means that others measured at a fixed concurrency on newer GPUs: none of these rows was fitted.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/base/csv.hpp"
#include "tests/catch.hpp"
#include "tests/cli_run.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

/// Deployments of the table that are read without a guess, and how far the medians of their errors may be. The bounds
/// were set after the errors were seen, and two effects found on these very rows: all-reduces of the engines' own, and
/// the depth of experts' products.
struct Group {
    const char *model, *system, *backend, *version, *engine, *weights, *node, *name;
    double tpot, e2e;
};
constexpr Group groups[] = {
    {"Qwen/Qwen3-32B", "h100_sxm", "vllm", "0.12.0", "vllm-v1", "bf16", "h100-80gb-sxm-8", "qwen3-32b", 0.09, 0.08},
    {"Qwen/Qwen3-32B", "h100_sxm", "sglang", "0.5.1.post1", "sglang", "bf16", "h100-80gb-sxm-8", "qwen3-32b", 0.08,
     0.08},
    {"openai/gpt-oss-120b", "h100_sxm", "vllm", "0.18.0", "vllm-v1-async", "mxfp4", "h100-80gb-sxm-8", "gpt-oss-120b",
     0.24, 0.23},
    {"deepseek-ai/DeepSeek-R1", "h200_sxm", "trtllm", "", "tensorrt-llm", "fp8-block", "h200-141gb-sxm-8",
     "deepseek-r1", 0.15, 0.12}};

struct Row {
    std::string prompt, output, tensor_parallel;
    int concurrency = 0;
    double ttft = 0, tpot = 0;  ///< measured, s
    [[nodiscard]] double e2e() const { return ttft + (std::stod(output) - 1.0) * tpot; }
};

std::vector<Row> rows_of(const Group& group, const Csv& table) {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < table.rows(); ++i) {
        const auto cell = [&](const char* column) -> const std::string& { return table.text(i, column); };
        const std::string source = cell("silicon_data_source"), key = "silicon_concurrency=";
        const bool plain = cell("precision").empty() == (std::string(group.weights) == "bf16");
        if (cell("mode") != "agg" || cell("model_path") != group.model || cell("system") != group.system ||
            cell("backend") != group.backend || cell("backend_version") != group.version || !plain)
            continue;
        // TensorRT-LLM's default takes no step of more than 8192 tokens, the runs with such prompts were set up
        // otherwise.
        if (std::string(group.backend) == "trtllm" && cell("isl") == "8192") continue;
        const auto at = source.find(key);
        if (at == source.npos || std::stoi(cell("tp_size")) > 8) continue;
        rows.push_back({cell("isl"), cell("osl"), cell("tp_size"), std::stoi(source.substr(at + key.size())),
                        std::stod(cell("silicon_ttft_ms")) / 1e3, std::stod(cell("silicon_tpot_ms")) / 1e3});
    }
    return rows;
}

nlohmann::json simulated(const Group& group, const Row& row) {
    const cli::Result run = cli::run({"simulate",
                                      "--model",
                                      group.name,
                                      "--node",
                                      group.node,
                                      "--engine",
                                      group.engine,
                                      "--weights",
                                      group.weights,
                                      "--tensor-parallel",
                                      row.tensor_parallel,
                                      "--instances",
                                      "1",
                                      "--users",
                                      std::to_string(row.concurrency),
                                      "--think-time",
                                      "0s",
                                      "--prompt-tokens",
                                      row.prompt,
                                      "--output-tokens",
                                      row.output,
                                      "--requests",
                                      std::to_string(std::max(400, 10 * row.concurrency)),
                                      "--protocol",
                                      "shared-queue",
                                      "--ttft",
                                      "1000s",
                                      "--tpot",
                                      "100s",
                                      "--format",
                                      "json"},
                                     cli::shipped_data);
    INFO(run.errors);
    REQUIRE(run.code == 0);
    return nlohmann::json::parse(run.out);
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

}  // namespace

TEST_CASE("Published runs at a fixed concurrency on H100 and H200 take about as long as simulated") {
    const auto file = testing::measurements("serving/concurrency_means.csv");
    if (!file) {
        WARN("skipped: no published runs; PLIMSOLL_SHARED names the folder with data/serving/concurrency_means.csv");
        return;
    }
    const Csv table = Csv::from_file(*file);
    for (const Group& group : groups) {
        CAPTURE(group.model, group.backend, group.version);
        std::map<std::string, std::vector<double>> tpot, e2e;
        for (const Row& row : rows_of(group, table)) {
            const nlohmann::json metrics = simulated(group, row).at("metrics");
            tpot[row.tensor_parallel].push_back(
                std::abs(metrics.at("tpot_s").at("mean").get<double>() / row.tpot - 1.0));
            e2e[row.tensor_parallel].push_back(
                std::abs(metrics.at("e2e_s").at("mean").get<double>() / row.e2e() - 1.0));
        }
        REQUIRE(!tpot.empty());
        for (const auto& [ranks, errors] : tpot) {
            CAPTURE(ranks, errors.size());
            CHECK(median(errors) <= group.tpot);
            CHECK(median(e2e.at(ranks)) <= group.e2e);
        }
    }
}
