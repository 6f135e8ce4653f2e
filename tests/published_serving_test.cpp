// Simulations beside serving runs that others published, at a rate or with all requests at once.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "model/base/csv.hpp"
#include "model/spec/distribution.hpp"
#include "simulator/random.hpp"
#include "tests/catch.hpp"
#include "tests/cli_json.hpp"
#include "tests/library.hpp"
#include "tests/median.hpp"

using namespace plimsoll;

namespace {

/// Rows of the table that are read without a guess, and how far the medians of their errors may be; 0: not judged. The
/// bounds were set after the errors were seen (docs/published_runs.md).
struct Group {
    const char *source, *engine_column, *gpu_column, *kind;
    bool (*taken)(const Csv&, std::size_t);
    const char *engine, *node, *options;
    const char *prompt, *output;  ///< laws; empty: the row's lengths, all alike
    bool scaled;                  ///< to the row's means
    int requests;                 ///< 0: the row's load
    double ttft, tpot, rate;
};

double number(const Csv& table, std::size_t row, const char* column) {
    return table.number(row, column).value_or(0.0);
}

/// The data sets are not published with the runs: chat with the spread of ShareGPT, and the prompts and answers of at
/// most 512 tokens that one of the sources shows.
constexpr const char *chat_prompt = "lognormal:mean=200,cv=0.9", *chat_output = "lognormal:mean=200,cv=0.7",
                     *short_prompt = "lognormal:mean=265,cv=0.65", *short_output = "uniform:min=150,max=550";

bool has(const Csv& table, std::size_t row, const char* column, const char* part) {
    return table.text(row, column).find(part) != std::string::npos;
}

/// The runs of AccelMark with Llama on vLLM 0.7.3 in 16 bits and with short prompts.
bool of_llama(const Csv& table, std::size_t row) {
    return has(table, row, "engine_version", "0.7.3") && has(table, row, "weights_dtype", "bf16") &&
           !has(table, row, "source", "suite_D") && !has(table, row, "model", "Mixtral");
}

const Group groups[] = {
    // Half of these, at 1 and 4 requests/s, gave vLLM V1 its front end.
    {"IOG-Foundation", "vLLM", "RTX 4090", "rate",
     [](const Csv& t, std::size_t i) {
         return t.text(i, "tp") == "1" && number(t, i, "load") <= 16 && !has(t, i, "model", "1.5B");
     },
     "vllm-v1", "rtx4090-24gb-pcie-4", "", chat_prompt, chat_output, true, 200, 0.22, 0.08, 0.0},
    // These are among those that gave vLLM V0 its front end.
    {"AccelMark", "vLLM", "A100-SXM4-80GB", "rate",
     [](const Csv& t, std::size_t i) { return of_llama(t, i) && number(t, i, "load") <= 5; }, "vllm-v0",
     "a100-80gb-sxm-8", "", short_prompt, short_output, false, 300, 0.15, 0.0, 0.0},
    {"AccelMark", "vLLM", "A100-SXM4-40GB", "offline",
     [](const Csv& t, std::size_t i) { return of_llama(t, i) && !has(t, i, "source", "suite_E"); }, "vllm-v0",
     "a100-40gb-sxm-8", "", short_prompt, short_output, false, 100, 0.0, 0.0, 0.06},
    {"AccelMark", "vLLM", "A100-SXM4-40GB", "offline",
     [](const Csv& t, std::size_t i) { return of_llama(t, i) && has(t, i, "source", "suite_E"); }, "vllm-v0",
     "a100-40gb-sxm-8", "", short_prompt, short_output, false, 150, 0.0, 0.0, 0.06},
    {"NVIDIA/TensorRT-LLM", "TensorRT-LLM", "A100-SXM4", "offline",
     [](const Csv& t, std::size_t i) { return has(t, i, "model", "8B") && number(t, i, "mean_prompt") < 8000; },
     "tensorrt-llm", "a100-80gb-sxm-8", "", "", "", true, 0, 0.0, 0.0, 0.07},
    // 128 sequences were the default of its version.
    {"vLLM v0.6.0 blog", "lmdeploy", "A100", "offline",
     [](const Csv& t, std::size_t i) { return !has(t, i, "workload", "prefill"); }, "lmdeploy", "a100-80gb-sxm-8",
     "--max-sequences 128", chat_prompt, chat_output, true, 500, 0.15, 0.0, 0.15}};

std::string model_of(const Csv& table, std::size_t row) {
    if (has(table, row, "model", "Qwen-7B")) return "qwen2.5-7b";
    if (has(table, row, "model", "70B")) return "llama-3-70b";
    return has(table, row, "model", "Llama-3-8B") ? "llama-3-8b" : "llama-3.1-8b";
}

/// The lengths of a row.
Distribution law(const Group& group, const char* text, double mean) {
    if (*text == '\0') return Distribution::fixed(mean);
    const Distribution read = Distribution::parse_tokens(text, "test");
    return group.scaled ? read.with_mean(mean) : read;
}

/// A run of so many requests: Poisson at the rate, or all at once.
void write_requests(const std::string& path, const Group& group, const Csv& table, std::size_t row) {
    const bool offline = std::string(group.kind) == "offline" || table.text(row, "load") == "inf";
    const double rate = offline ? 0.0 : number(table, row, "load");
    const Distribution prompt = law(group, group.prompt, number(table, row, "mean_prompt")),
                       output = law(group, group.output, number(table, row, "mean_output"));
    const int requests = group.requests > 0 ? group.requests : static_cast<int>(number(table, row, "load"));
    RandomStream stream(row, "published run");
    std::ofstream file(path);
    file << "request_id,arrived_at,num_prefill_tokens,num_decode_tokens\n";
    double time = 0;
    for (int i = 0; i < requests; ++i) {
        file << i << ',' << time << ',' << std::max(1.0, std::round(prompt.quantile(stream.uniform()))) << ','
             << std::max(2.0, std::round(output.quantile(stream.uniform()))) << '\n';
        if (rate > 0) time += stream.exponential() / rate;
    }
}

cli::Json simulated(const Group& group, const Csv& table, std::size_t row, const std::string& folder) {
    std::string line = "simulate --instances 1 --ttft 10000s --tpot 1000s --model " + model_of(table, row) +
                       " --node " + group.node + " --engine " + group.engine + " --weights bf16 --tensor-parallel " +
                       table.text(row, "tp") + " " + group.options;
    const std::string path = folder + "/requests.csv";
    write_requests(path, group, table, row);
    line += " --workload " + path;
    return cli::answer_of(cli::words(line), cli::shipped_data);
}

}  // namespace

TEST_CASE("Published runs at a rate and all at once take about as long as simulated") {
    const auto file = testing::measurements("serving/serving.csv");
    if (!file) {
        WARN("skipped: no published runs; PLIMSOLL_SHARED names the folder with data/serving/serving.csv");
        return;
    }
    const Csv table = Csv::from_file(*file);
    const cli::TemporaryFolder folder;
    for (const Group& group : groups) {
        std::vector<double> ttft, tpot, rate;
        for (std::size_t i = 0; i < table.rows(); ++i) {
            const auto is = [&](const char* column, const char* text) { return table.text(i, column) == text; };
            if (table.text(i, "source").find(group.source) == std::string::npos || !is("engine", group.engine_column) ||
                !is("gpu", group.gpu_column) || !is("load_kind", group.kind) || !group.taken(table, i))
                continue;
            const cli::Json run = simulated(group, table, i, folder.path());
            const auto latency = [&](const std::string& name, std::vector<double>& errors) {
                for (const char* statistic : {"mean", "p50"}) {
                    const auto measured = table.number(i, name + "_" + statistic + "_s");
                    if (!measured) continue;
                    const double value = run.at("metrics").at(name + "_s").at(statistic).get<double>();
                    return errors.push_back(std::abs(value / *measured - 1.0));
                }
            };
            latency("ttft", ttft);
            latency("tpot", tpot);
            const double done =
                run.at("simulated").at("requests").get<double>() / run.at("simulated").at("end_s").get<double>();
            const double answer = law(group, group.output, number(table, i, "mean_output")).mean();
            if (const auto measured = table.number(i, "out_tok_per_s"))
                rate.push_back(std::abs(done * answer / *measured - 1.0));
            else if (const auto requests = table.number(i, "req_per_s"))
                rate.push_back(std::abs(done / *requests - 1.0));
        }
        CAPTURE(group.source, group.engine, group.kind);
        const auto check = [&](const std::vector<double>& errors, double bound) {
            if (bound == 0.0) return;
            CAPTURE(errors.size());
            REQUIRE(!errors.empty());
            CHECK(testing::median(errors) <= bound);
        };
        check(ttft, group.ttft);
        check(tpot, group.tpot);
        check(rate, group.rate);
    }
}
