// Steps and whole batches that others measured, predicted by what ships: docs/published_steps.md.
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/cli_json.hpp"
#include "tests/cli_run.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

/// Rows of the table that are read without a guess, and how far the median and the ninetieth percentile of their errors
/// may be. The bounds were set after the errors were seen.
struct Group {
    std::string name, engine, node;
    std::vector<std::string> where;
    std::string phase;
    int rows;
    double median, p90;
};

const std::string bench = "source=argonne-lcf/LLM-Inference-Bench Plots/All_results.csv";
const std::string llama_bench = "source=XiongjieDai/GPU-Benchmarks-on-LLM-Inference README.md";
const std::string splitwise = "engine_version=modified, 2023 (per paper)";
const std::string polaris = "a100-40gb-sxm-8";

const std::vector<Group> groups{
    {"a GPT of 20B on FasterTransformer, 1 to 8 A100; half of the rows fitted its host",
     "fastertransformer",
     "",
     {"engine=FasterTransformer", "model=GPT-20B"},
     "mixed",
     174,
     0.05,
     0.11},
    {"GPT-3 on FasterTransformer, eight A100", "fastertransformer", "", {"model=GPT-175B"}, "mixed", 13, 0.16, 0.28},
    {"Megatron-530B on FasterTransformer, three nodes of eight A100",
     "fastertransformer",
     "",
     {"model=Megatron-530B", "pp=3", "batch<=16"},
     "mixed",
     15,
     0.06,
     0.09},
    {"prompts of Llama-2-70B on vLLM 0.2; a third of the rows fitted its kernels",
     "vllm-0.2",
     "",
     {splitwise, "model=Llama-2-70B", "batch<=1", "prompt_tokens<=2048"},
     "prefill",
     33,
     0.12,
     0.19},
    {"prompts of BLOOM on vLLM 0.2",
     "vllm-0.2",
     "",
     {splitwise, "model=BLOOM-176B", "batch<=1", "prompt_tokens<=2048"},
     "prefill",
     11,
     0.06,
     0.15},
    {"decodes on vLLM 0.2", "vllm-0.2", "", {splitwise, "batch<=32"}, "decode", 72, 0.07, 0.15},
    {"7B and 8B on TensorRT-LLM 0.11, one GPU",
     "tensorrt-llm-0.9",
     polaris,
     {bench, "engine=TensorRT-LLM", "tp=1"},
     "mixed",
     60,
     0.05,
     0.1},
    {"Llama-3-70B on TensorRT-LLM 0.11, four GPUs, in up to 16 waves",
     "tensorrt-llm-0.9",
     polaris,
     {bench, "engine=TensorRT-LLM", "model=meta-llama/Meta-Llama-3-70B"},
     "mixed",
     12,
     0.06,
     0.28},
    {"Llama-2-70B on TensorRT-LLM 0.11, four GPUs, one wave",
     "tensorrt-llm-0.9",
     polaris,
     {bench, "engine=TensorRT-LLM", "model=meta-llama/Llama-2-70b-hf", "batch<=16", "prompt_tokens<=512"},
     "mixed",
     6,
     0.04,
     0.06},
    {"Mistral-7B on vLLM 0.4, 1 to 4 GPUs; other models fitted its host",
     "vllm-0.4",
     polaris,
     {bench, "engine=vLLM", "model=mistralai/Mistral-7B-v0.1"},
     "mixed",
     73,
     0.07,
     0.13},
    {"Llama-2-7B on DeepSpeed-MII; 40 of the rows fitted its host",
     "deepspeed-mii",
     polaris,
     {bench, "engine=Deepspeed-MII", "model=meta-llama/Llama-2-7b-hf"},
     "mixed",
     60,
     0.09,
     0.2},
    {"prompts on llama.cpp through the pipelines of two to six RTX 3090",
     "llama-cpp-server",
     "",
     {llama_bench, "gpu=3090", "pp>=2", "model=Llama-3-8B"},
     "prefill",
     24,
     0.15,
     0.28},
    {"prompts on llama.cpp, RTX A6000",
     "llama-cpp-server",
     "",
     {llama_bench, "gpu=RTX A6000", "model=Llama-3-8B"},
     "prefill",
     16,
     0.09,
     0.14},
    {"steps on llama.cpp, A40", "llama-cpp-server", "", {llama_bench, "gpu=A40"}, "decode", 28, 0.06, 0.1},
    {"prompts on llama.cpp, RTX 4090, whose fp16 sums take twice the rate",
     "llama-cpp-server",
     "",
     {"model=CodeLlama-7B", "gpu=RTX 4090"},
     "prefill",
     2,
     0.15,
     0.2}};

}  // namespace

TEST_CASE("Published steps and whole batches take about as long as predicted") {
    const auto file = testing::measurements("serving/steps.csv");
    if (!file) {
        WARN("skipped: no published steps; PLIMSOLL_SHARED names the folder with data/serving/steps.csv");
        return;
    }
    for (const Group& group : groups) {
        std::vector<std::string> line{"validate", *file, "--engine", group.engine, "--format", "json"};
        if (!group.node.empty()) line.insert(line.end(), {"--node", group.node});
        for (const std::string& condition : group.where) line.insert(line.end(), {"--where", condition});
        const cli::Result run = cli::run(line, cli::shipped_data);
        CAPTURE(group.name, run.errors);
        REQUIRE(run.code == 0);
        const nlohmann::json errors = nlohmann::json::parse(run.out).at("summary");
        CHECK(errors.at(group.phase).at("n") == group.rows);
        CHECK(errors.at(group.phase).at("median_ape").get<double>() <= group.median);
        CHECK(errors.at(group.phase).at("p90_ape").get<double>() <= group.p90);
    }
}
