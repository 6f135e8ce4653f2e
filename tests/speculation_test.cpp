// Speculative decoding: the identity without it, what a draft costs in memory and time, and where it helps or hurts.
#include "model/cost/speculation.hpp"

#include "model/cost/step_cost.hpp"
#include "simulator/instance.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

Deployment speculating(Deployment deployment, const char* draft, int tokens, double acceptance) {
    deployment.speculation = Speculation{draft ? &testing::model(draft) : nullptr, tokens, acceptance};
    return deployment;
}

Deployment on_h100(const char* model, int tensor) {
    Deployment result = testing::deployment(model, "h100-80gb-sxm-8", tensor, 1, "vllm-v1");
    result.weights = Dtype::bf16;
    return result;
}

double seconds(const Deployment& deployment, const StepShape& shape) {
    const Architecture architecture(*deployment.model);
    return StepCost(architecture, deployment).step(shape).value();
}

StepShape decodes(double sequences, double context) {
    return {.decode_sequences = sequences, .context_tokens = sequences * context};
}

StepShape with_prompt(StepShape shape, double tokens) {
    shape.prefill_sequences = 1;
    shape.prefill_tokens = tokens;
    shape.attention_pairs = causal_pairs(tokens, 0);
    return shape;
}

}  // namespace

TEST_CASE("tokens that a step is expected to gain, worked by hand") {
    const auto expected = [](int tokens, double acceptance) {
        return Speculation{nullptr, tokens, acceptance}.expected_tokens();
    };
    CHECK(expected(3, 0.5) == Approx(1.875));  // 1 + 1/2 + 1/4 + 1/8
    CHECK(expected(1, 0.85) == Approx(1.85));
    CHECK(expected(5, 1.0) == Approx(6.0));
    CHECK(expected(5, 0.0) == Approx(1.0));
    CHECK(expected(0, 0.9) == Approx(1.0));
    CHECK(expected(4, 0.8) == Approx((1.0 - 0.8 * 0.8 * 0.8 * 0.8 * 0.8) / 0.2));
}

TEST_CASE("to draft no tokens is not to speculate") {
    const Deployment plain = on_h100("llama-3.1-70b", 4), none = speculating(plain, "llama-3.2-1b", 0, 0.8);
    for (const double sequences : {1.0, 17.0, 256.0}) {
        CHECK(seconds(none, decodes(sequences, 900)) == seconds(plain, decodes(sequences, 900)));
        CHECK(seconds(none, with_prompt(decodes(sequences, 900), 700)) ==
              seconds(plain, with_prompt(decodes(sequences, 900), 700)));
    }
    const Architecture architecture(*plain.model);
    CHECK(memory_budget(architecture, none).kv_tokens == memory_budget(architecture, plain).kv_tokens);
}

TEST_CASE("what a draft model takes of the memory, worked by hand") {
    const Deployment plain = on_h100("llama-3.1-8b", 1);
    const Architecture architecture(*plain.model);
    const MemoryBudget without = memory_budget(architecture, plain);
    const MemoryBudget with = memory_budget(architecture, speculating(plain, "llama-3.2-1b", 4, 0.7));
    // 1,235,814,400 parameters of 2 bytes; 16 layers x 2 x 8 heads x 64 x 2 bytes a token.
    CHECK((with.weights - without.weights).value() == Approx(2'471'628'800.0));
    CHECK((with.kv_of_new_token - without.kv_of_new_token).value() == Approx(32'768.0));
    CHECK(with.kv_tokens < without.kv_tokens);
}

TEST_CASE("what the module of DeepSeek-V3 takes of the memory") {
    Deployment plain = testing::deployment("deepseek-v3", "h200-141gb-sxm-8", 8, 1, "vllm-v1");
    plain.weights = Dtype::fp8_block;
    const Architecture architecture(*plain.model);
    const MemoryBudget without = memory_budget(architecture, plain);
    const MemoryBudget with = memory_budget(architecture, speculating(plain, nullptr, 1, 0.85));
    // README_WEIGHTS.md: 11.5B parameters of its own, one byte each but for the joining matrix of 2 x 7168^2; an
    // eighth of them a rank, more of what ranks copy.
    const double more = (with.weights - without.weights).value();
    CHECK(more > 11.4e9 / 8);
    CHECK(more < 11.5e9 / 8 + 2.5 * 2 * 7168.0 * 7168.0);
    // A layer beside 61.
    CHECK(with.kv_of_new_token / without.kv_of_new_token == Approx(62.0 / 61.0));
}

TEST_CASE("where weights are read alone, a draft gains nearly as many tokens as it expects") {
    const Deployment plain = on_h100("llama-3.1-70b", 4);
    for (const int tokens : {1, 3, 5}) {
        const Deployment drafted = speculating(plain, "llama-3.2-1b", tokens, 0.8);
        const double alone = seconds(plain, decodes(1, 500));
        const double whole = seconds(drafted, decodes(1, 500)) * drafted.speculation->expected_tokens();
        INFO(tokens << " drafted: " << whole / alone);
        // The check reads the same weights; each pass of the draft reads its own, 2.5 of 141 GB, and starts kernels.
        CHECK(whole > alone);
        CHECK(whole < alone * (1.05 + 0.08 * tokens));
    }
}

TEST_CASE("where arithmetic binds, rejected tokens cost more than accepted ones gain") {
    const Deployment plain = on_h100("llama-3.1-70b", 8);
    CHECK(seconds(speculating(plain, "llama-3.2-1b", 4, 0.5), decodes(1, 500)) < seconds(plain, decodes(1, 500)));
    CHECK(seconds(speculating(plain, "llama-3.2-1b", 4, 0.5), decodes(512, 500)) > seconds(plain, decodes(512, 500)));
}

TEST_CASE("a draft that is never right only costs, and the righter the better") {
    const Deployment plain = on_h100("llama-3.1-70b", 4);
    for (const double sequences : {1.0, 32.0, 200.0}) {
        double before = 1e9;
        for (const double acceptance : {0.0, 0.3, 0.6, 0.9, 1.0}) {
            const double now = seconds(speculating(plain, "llama-3.2-1b", 3, acceptance), decodes(sequences, 800));
            if (acceptance == 0.0) CHECK(now > seconds(plain, decodes(sequences, 800)));
            CHECK(now < before);
            before = now;
        }
    }
}

TEST_CASE("prompts cost the same whatever is accepted, and the draft sees them too") {
    const Deployment plain = on_h100("llama-3.1-70b", 4);
    const auto prompt = [&](double acceptance) {
        const Deployment drafted = speculating(plain, "llama-3.2-1b", 3, acceptance);
        return seconds(drafted, with_prompt(decodes(20, 800), 1000)) - seconds(drafted, decodes(20, 800));
    };
    CHECK(prompt(0.2) == Approx(prompt(0.9)).epsilon(1e-9));
    const StepShape alone = with_prompt({}, 1000);
    const Deployment drafted = speculating(plain, "llama-3.2-1b", 3, 0.5);
    CHECK(seconds(drafted, alone) > seconds(plain, alone));
    CHECK(seconds(drafted, alone) < 1.2 * seconds(plain, alone));
}

TEST_CASE("a speculating step is affine in the context between the breakpoints that the cost names") {
    for (const char* model : {"llama-3.1-70b", "gpt-oss-120b"}) {
        const Deployment drafted = speculating(on_h100(model, 4), "llama-3.2-1b", 2, 0.7);
        const Instance instance(drafted);
        for (const std::uint32_t sequences : {1U, 24U, 200U})
            for (std::uint64_t context = sequences; context < 2'000'000; context = context * 3 + 1) {
                INFO(model << " " << sequences << " " << context);
                const double folded = instance.timer().decode(sequences, context).first.value();
                const double step = instance.cost().decode(sequences, static_cast<double>(context)).value();
                CHECK(folded == Approx(step).epsilon(1e-9));
            }
    }
}

TEST_CASE("the parts of a speculating step are those of its passes") {
    const Deployment drafted = speculating(on_h100("llama-3.1-70b", 4), "llama-3.2-1b", 3, 0.7);
    const Architecture architecture(*drafted.model);
    const StepCost cost(architecture, drafted);
    const StepParts parts = cost.parts(decodes(16, 800));
    CHECK(parts.total == cost.step(decodes(16, 800)));
    const Seconds gpu = parts.compute + parts.weights_read + parts.kv_read + parts.communication + parts.launch;
    CHECK((gpu + parts.host_serial).value() == Approx(parts.total.value()).epsilon(0.02));
    CHECK(parts.weights_read > parts.compute);
}

TEST_CASE("deployments that cannot speculate as asked") {
    const auto refusal = [](const Deployment& deployment) { return speculation_refusal(deployment).value_or("none"); };
    CHECK(refusal(on_h100("llama-3.1-70b", 4)) == "none");
    CHECK(refusal(speculating(on_h100("llama-3.1-70b", 4), "llama-3.2-1b", 3, 0.7)) == "none");
    CHECK(refusal(speculating(on_h100("llama-3.1-70b", 4), nullptr, 1, 0.7)) ==
          "llama-3.1-70b has no modules that predict further tokens; a draft model may speculate for it");
    Deployment piped = on_h100("llama-3.1-70b", 4);
    piped.pipeline_parallel = 2;
    CHECK(refusal(speculating(piped, "llama-3.2-1b", 3, 0.7)) == "speculation is known without a pipeline");
    // 14 heads of Qwen2.5-0.5B's kind over 8 ranks: here the 40 of LLaMA-13B over 16.
    CHECK(refusal(speculating(on_h100("llama-3.1-70b", 16), "llama-13b", 3, 0.7))
              .starts_with("the draft model llama-13b: "));
}
