// Whole steps beside their measurements.
#include "scenarios/step_validation.hpp"

#include "model/cost/kernel_choice.hpp"
#include "model/cost/step_cost.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

const std::string header =
    "model,weights_dtype,gpu,tp,phase,batch,prompt_tokens,context_tokens,chunk_tokens,gpu_layers,seconds\n";

StepValidation validated(const std::string& rows, const StepAssumptions& assumptions = {}) {
    return validate_steps(Csv::from_text(header + rows, "steps.csv"), assumptions, testing::library());
}

}  // namespace

TEST_CASE("step validation: rows are what the step costs of the deployment say") {
    Deployment d = testing::deployment("llama-2-7b", "a100-80gb-sxm-8", 2, 1, "vllm-v1");
    set_kernels(d, testing::library(), {});
    const Architecture architecture(*d.model);
    const StepCost cost(architecture, d);
    StepAssumptions vllm;
    vllm.engine = "vllm-v1";
    const StepValidation v = validated(
        "llama-2-7b,fp16,a100-80gb-sxm,2,prefill,1,300,100,,,0.1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,2,decode,8,,512,,,0.01\n"
        "llama-2-7b,fp16,a100-80gb-sxm,2,prefill,2,300,0,400,,0.1\n",
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
    const std::string row = "llama-2-7b,fp16,a100-80gb-sxm,1,decode,1,,512,,,0.01\n";
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
        "llama-2-7b,fp16,rtx4090-24gb-pcie,1,prefill,1,512,0,512,99,0.0463423\n"
        "llama-2-7b,fp16,rtx4090-24gb-pcie,1,decode,1,,64.5,,99,0.0163854\n"
        "llama-2-7b,q8-0,rtx4090-24gb-pcie,1,prefill,1,512,0,512,99,0.0668058\n"
        "llama-2-7b,q8-0,rtx4090-24gb-pcie,1,decode,1,,64.5,,99,0.0101906\n");
    for (const StepRow& row : v.rows) {
        INFO(row.place << " " << row.predicted << " " << row.skipped);
        CHECK(row.skipped.empty());
        CHECK(std::abs(row.error()) < 0.2);
    }
}

TEST_CASE("step validation: rows that no prediction is for say why") {
    const StepValidation v = validated(
        "llama-2-7b,fp16,a100-80gb-sxm,1,mixed,8,300,0,,,1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,1,prefill,,300,0,,,1\n"
        "unheard-of,fp16,a100-80gb-sxm,1,decode,1,,64,,,1\n"
        "llama-2-7b,fp16,A100,1,decode,1,,64,,,1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,1,decode,1,,64,,32,1\n"
        "llama-2-7b,fp16,a100-80gb-sxm,1,decode,1,,64,,33,1\n");
    CHECK(v.rows[0].skipped == "the phase 'mixed' is neither prefill nor decode");
    CHECK(v.rows[1].skipped == "no batch");
    CHECK(v.rows[2].skipped == "no models fit 'unheard-of'");
    CHECK(v.rows[3].skipped == "several GPUs fit 'A100'");
    // 32 layers and the output.
    CHECK(v.rows[4].skipped == "only 32 layers were on the GPU");
    CHECK(v.rows[5].skipped.empty());
    CHECK_THROWS_WITH(validated("llama-2-7b,fp16,a100-80gb-sxm,1,decode,1,,64,,,0\n"),
                      ContainsSubstring("steps.csv:2 seconds: must be above zero"));
    CHECK_THROWS_WITH(validated("llama-2-7b,fp16,a100-80gb-sxm,1,decode,1,,64,,,9000\n"),
                      ContainsSubstring("is it in milliseconds?"));
    CHECK_THROWS_WITH(validated("llama-2-7b,fp99,a100-80gb-sxm,1,decode,1,,64,,,1\n"),
                      ContainsSubstring("steps.csv:2 weights_dtype"));
    CHECK_THROWS_WITH(validated("llama-2-7b,fp16,a100-80gb-sxm,1,decode,1,,64,,,nan\n"),
                      ContainsSubstring("steps.csv:2 seconds"));
}
