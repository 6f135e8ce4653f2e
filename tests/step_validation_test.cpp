// Whole steps beside their measurements.
#include "scenarios/step_validation.hpp"

#include <algorithm>
#include <cmath>

#include "model/cost/kernel_choice.hpp"
#include "model/cost/step_cost.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

const std::string header =
    "model,weights_dtype,gpu,tp,phase,batch,prompt_tokens,context_tokens,output_tokens,chunk_tokens,gpu_layers,"
    "seconds\n";

StepValidation validated(const std::string& rows, const StepAssumptions& assumptions = {}) {
    return validate_steps(Csv::from_text(header + rows, "steps.csv"), assumptions, testing::library());
}

}  // namespace

TEST_CASE("step validation: rows are what the step costs of the deployment say") {
    Deployment d = testing::deployment("llama-2-7b", "a100-80gb-sxm-8", 2, 1, "vllm-v1");
    Engine engine = *d.engine;
    engine.host.per_request.value = Seconds(0);  // No server receives the prompts.
    d.engine = &engine;
    set_kernels(d, testing::library(), {});
    const Architecture architecture(*d.model);
    const StepCost cost(architecture, d);
    StepAssumptions vllm;
    vllm.engine = "vllm-v1";
    const StepValidation v = validated(
        "llama-2-7b,fp16,a100-80gb-sxm,2,prefill,1,300,100,,,,0.1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,2,decode,8,,512,,,,0.01\n"
        "llama-2-7b,fp16,a100-80gb-sxm,2,prefill,2,300,0,,400,,0.1\n",
        vllm);
    // A prompt behind 100 tokens: token i sees 100 + i.
    CHECK(v.rows[0].predicted == Approx(cost.prefill(1, 300, 300 * 100 + 300 * 301 / 2).value()));
    CHECK(v.rows[1].predicted == Approx(cost.decode(8, 8 * 512).value()));
    // 600 tokens by 400: the first prompt and 100 tokens of the second, then its other 200, which see 101 to 300.
    const double first = 300 * 301 / 2 + 100 * 101 / 2, second = (101 + 300) / 2.0 * 200;
    CHECK(v.rows[2].predicted == Approx((cost.prefill(2, 400, first) + cost.prefill(1, 200, second)).value()));
    CHECK(v.rows[1].error() == Approx(v.rows[1].predicted / 0.01 - 1));
    CHECK(v.summary[0].n == 2);
    CHECK(v.summary[1].n == 1);
}

TEST_CASE("step validation: without an engine no host adds to the kernels") {
    const std::string row = "llama-2-7b,fp16,a100-80gb-sxm,1,decode,1,,512,,,,0.01\n";
    StepAssumptions vllm;
    vllm.engine = "vllm-v1";
    const double bare = validated(row).rows[0].predicted;
    CHECK(bare < validated(row, vllm).rows[0].predicted);
    // 6.74e9 weights but the embedding's 0.13e9, two bytes each, at most at 2.04 TB/s.
    CHECK(bare > 6.6e9 * 2 / 2.04e12);
    CHECK(bare < 2 * 6.6e9 * 2 / 2.04e12);
}

// llama-bench on an RTX 4090, github.com/ggml-org/llama.cpp pull request 4766.
TEST_CASE("step validation: published rates of llama.cpp are met within a fifth by kernels alone") {
    const StepValidation v = validated(
        "llama-2-7b,fp16,rtx4090-24gb-pcie,1,prefill,1,512,0,,512,99,0.0463423\n"
        "llama-2-7b,fp16,rtx4090-24gb-pcie,1,decode,1,,64.5,,,99,0.0163854\n"
        "llama-2-7b,q8-0,rtx4090-24gb-pcie,1,prefill,1,512,0,,512,99,0.0668058\n"
        "llama-2-7b,q8-0,rtx4090-24gb-pcie,1,decode,1,,64.5,,,99,0.0101906\n");
    for (const StepRow& row : v.rows) {
        INFO(row.place << " " << row.predicted << " " << row.skipped);
        CHECK(row.skipped.empty());
        CHECK(std::abs(row.error()) < 0.2);
    }
}

TEST_CASE("step validation: a whole batch is its prefill and a decode step for each further token") {
    Deployment d = testing::deployment("llama-2-7b", "a100-80gb-sxm-8", 2, 1, "fastertransformer");
    Engine engine = *d.engine;
    engine.host.per_request.value = Seconds(0);
    d.engine = &engine;
    set_kernels(d, testing::library(), {});
    const Architecture architecture(*d.model);
    const StepCost cost(architecture, d);
    StepAssumptions assumptions;
    assumptions.engine = "fastertransformer";
    const StepRow row = validated("llama-2-7b,fp16,a100-80gb-sxm,2,mixed,8,300,,20,,,1\n", assumptions).rows.at(0);
    // The first token comes of the prefill; the i-th of the 19 decodes sees 300 + i tokens of each.
    double expected = cost.prefill(8, 2400, 8 * causal_pairs(300, 0)).value();
    for (int i = 1; i < 20; ++i) expected += cost.decode(8, 8 * (300.0 + i)).value();
    CHECK(row.predicted == Approx(expected));
}

TEST_CASE("step validation: a batch that the cache does not hold runs in waves") {
    const auto seconds = [](int batch) {
        const std::string sizes = std::to_string(batch) + ",900,,100,,,1\n";
        return validated("llama-2-7b,fp16,rtx3090-24gb-pcie,1,mixed," + sizes).rows.at(0).predicted;
    };
    // 24.1 GiB of which 12.6 are weights leave room for 9 to 11 GiB: 1000 tokens of 0.5 MiB each take 0.49, so that 16
    // to 22 requests run at once, and 32 in two waves, whose second is what is left of the first.
    double least = 1e9;
    for (int first = 16; first <= 22; ++first)
        least = std::min(least, std::abs(seconds(first) + seconds(32 - first) - seconds(32)));
    CHECK(least < 1e-9);
    CHECK(seconds(32) > 1.5 * seconds(16));
    CHECK(seconds(15) < 1.2 * seconds(14));
}

TEST_CASE("step validation: chunks follow one another through a pipeline") {
    const auto seconds = [](int stages, int chunk) {
        const std::string parts = std::to_string(stages) + ",prefill,1,2048,0,," + std::to_string(chunk) + ",,1\n";
        return validate_steps(Csv::from_text("model,weights_dtype,gpu,pp,phase,batch,prompt_tokens,context_tokens,"
                                             "output_tokens,chunk_tokens,gpu_layers,seconds\n"
                                             "llama-2-7b,fp16,a100-80gb-sxm," +
                                                 parts,
                                             "steps.csv"),
                              {}, testing::library())
            .rows.at(0)
            .predicted;
    };
    // Of four equal chunks in four stages the last leaves after 4 + 3 of 16 stage times; causality makes the last chunk
    // the longest, so that a little more than 7/16 is left.
    CHECK(seconds(4, 512) / seconds(1, 512) > 7.0 / 16);
    CHECK(seconds(4, 512) / seconds(1, 512) < 0.5);
    CHECK(seconds(4, 2048) == Approx(seconds(1, 2048)).epsilon(0.02));
}

TEST_CASE("step validation: rows that no prediction is for say why") {
    const StepValidation v = validated(
        "llama-2-7b,fp16,a100-80gb-sxm,1,warm-up,8,300,0,,,,1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,1,prefill,,300,0,,,,1\n"
        "unheard-of,fp16,a100-80gb-sxm,1,decode,1,,64,,,,1\n"
        "llama-2-7b,fp16,A100,1,decode,1,,64,,,,1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,1,decode,1,,64,,,32,1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,1,decode,1,,64,,,33,1\n"
        "llama-2-7b,fp99,a100-80gb-sxm,1,decode,1,,64,,,,1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,1,decode,64?,,64,,,,1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,1,mixed,8,300,,,,,1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,1,decode,1,,64,,,,\n"
        "llama-2-7b,fp16,a100-80gb-sxm,1,decode,64,,4096,,,,1\n");
    CHECK(v.rows[0].skipped == "the phase 'warm-up' is none of prefill, decode, mixed");
    CHECK(v.rows[1].skipped == "no batch");
    CHECK(v.rows[2].skipped == "no models fit 'unheard-of'");
    CHECK(v.rows[3].skipped == "several GPUs fit 'A100'");
    // 32 layers and the output.
    CHECK(v.rows[4].skipped == "only 32 layers were on the GPU");
    CHECK(v.rows[5].skipped.empty());
    CHECK(v.rows[6].skipped == "no dtype fits 'fp99'");
    CHECK(v.rows[7].skipped == "the table doubts its batch, '64?'");
    CHECK(v.rows[8].skipped == "no output_tokens");
    CHECK(v.rows[9].skipped == "no seconds");
    // 262144 tokens of 0.5 MiB are 128 GiB.
    CHECK_THAT(v.rows[10].skipped, ContainsSubstring("has room for") && ContainsSubstring("not 262144"));
    CHECK(v.summary[1].n == 1);
}

TEST_CASE("step validation: names are known as other tables spell them") {
    const StepValidation v = validated(
        "Llama 2 7B,F16,A100 80GB PCIe,1,decode,1,,64,,,,0.01\n"
        "llama2-7b,Q4_K_M,3090,1,decode,1,,64,,,,0.01\n"
        "meta-llama/Llama-2-7b-hf,float16,a100-80gb-sxm,1,decode,1,,64,,,,0.01\n");
    CHECK(v.rows[0].gpu == "a100-80gb-pcie");
    CHECK(v.rows[0].weights == "fp16");
    CHECK(v.rows[1].gpu == "rtx3090-24gb-pcie");
    CHECK(v.rows[1].weights == "q4-k-m");
    for (const StepRow& row : v.rows) CHECK(row.model == "llama-2-7b");
}
