// Memory budgets worked by hand, and what requests hold of the cache.
#include "model/cost/memory.hpp"

#include <cmath>

#include "simulator/instance.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
using testing::deployment;

namespace {

Workload lengths(const char* prompt, const char* output) {
    Workload workload;
    workload.prompt = Distribution::parse_tokens(prompt, "test");
    workload.output = Distribution::parse_tokens(output, "test");
    return workload;
}

Engine engine(KvReservation reservation, int block_tokens) {
    Engine result;
    result.reservation = reservation;
    result.block_tokens = block_tokens;
    return result;
}

}  // namespace

TEST_CASE("the memory of LLaMA-13B on four A30, worked by hand") {
    const Deployment deployed = deployment("llama-13b", "a30-24gb-pcie-8", 4);
    const Architecture architecture(*deployed.model);
    const MemoryBudget budget = memory_budget(architecture, deployed);
    // The driver reports 24258 MiB and the engine takes all of it.
    CHECK(budget.usable.value() == 24258.0 * 1048576);
    // A quarter of 40 x 317,194,240 matrix values; 40 x 10,240 + 5,120 norms whole; two tables of 8000 x 5120.
    CHECK(budget.weights.value() == 2.0 * (40 * 79'298'560.0 + 414'720 + 2 * 40'960'000.0));
    // 16384 prompt tokens x (3 x 5120 + 3 x 3456) values of 2 bytes; sampling takes less: 16384 x 5120 x 2 + 1000 rows
    // x 32000 x 4 bytes.
    CHECK(budget.activations.value() == 16384.0 * (15360 + 10368) * 2);
    CHECK(budget.framework.value() + budget.workspace.value() + budget.communication.value() == Approx(0.5e9 + 0.42e9));
    CHECK(budget.graphs.value() == 0);
    // 2 x 10 heads x 128 x 40 layers x 2 bytes.
    CHECK(budget.kv_per_token.value() == 204'800);
    // 25,436,356,608 less 6,508,554,240 of weights, 843,055,104 of activations and 0.92e9: 17,164,747,264 bytes,
    // 83,812.2 tokens of one-token blocks.
    CHECK(budget.kv.value() == Approx(17'164'747'264.0));
    CHECK(budget.kv_tokens == 83'812);
    CHECK(!budget.refusal(*deployed.gpu));
    // 10 % of the activations, 84.3 MB; 0.5 % of the weights, 32.5 MB; 0.5 GB of the framework, 0.4 GB of
    // communication: the root of their squares.
    CHECK(budget.deviation.value() == Approx(646.7e6).epsilon(1e-3));
    // A deviation less is 3,157.6 tokens less.
    CHECK(with_more_kv(budget, *deployed.engine, budget.deviation * -1.0).kv_tokens == 80'654);
}

TEST_CASE("a budget is spent to the last byte") {
    for (const std::string& name : testing::library().engines.names()) {
        const Deployment deployed = deployment("llama-2-7b", "a40-48gb-pcie-8", 2, 1, name);
        const MemoryBudget budget = memory_budget(Architecture(*deployed.model), deployed);
        INFO(name);
        // TensorRT-LLM leaves a tenth of what is free; the others' share is of all.
        const double share = deployed.engine->fraction_of_free ? deployed.engine->memory_fraction.value : 1.0;
        CHECK((budget.fixed() + budget.kv / share).value() == Approx(budget.usable.value()));
        CHECK(std::fmod(budget.kv_tokens, deployed.engine->block_tokens) == 0);
        CHECK(budget.kv_per_token * budget.kv_tokens <= budget.kv);
    }
}

TEST_CASE("tokens come in whole blocks, some of them kept free") {
    Deployment deployed = deployment("llama-2-7b", "a40-48gb-pcie-8", 1, 1, "vllm-v0");
    Engine changed = *deployed.engine;
    deployed.engine = &changed;
    const Architecture architecture(*deployed.model);
    changed.watermark = 0;
    changed.block_tokens = 1;
    const double tokens = memory_budget(architecture, deployed).kv_tokens;
    changed.block_tokens = 256;
    CHECK(memory_budget(architecture, deployed).kv_tokens == std::floor(tokens / 256) * 256);
    changed.watermark = 0.25;
    CHECK(memory_budget(architecture, deployed).kv_tokens == std::floor(std::floor(tokens / 256) * 0.75) * 256);
}

TEST_CASE("what does not fit says by how much") {
    // 25.99 GB of weights alone exceed one A30. Weights 2 x 13,015,864,320 bytes; one token of cache is 819,200 bytes.
    const Deployment deployed = deployment("llama-13b", "a30-24gb-pcie-8", 1);
    const MemoryBudget budget = memory_budget(Architecture(*deployed.model), deployed);
    CHECK(budget.kv < Bytes(0));
    CHECK(budget.kv_tokens == 0);
    const auto why = budget.refusal(*deployed.gpu);
    REQUIRE(why);
    // 24.2 + 2.2 GiB (activations 16384 x (15360 + 41472) x 2, 0.5 GB of runtime) for 23.7.
    CHECK(why->why == "weights 24.2 GiB + runtime 2.20 GiB a GPU exceed the 23.7 GiB of a30-24gb-pcie by 2.76 GiB");
}

TEST_CASE("a cache of less than a block does not fit") {
    Deployment deployed = deployment("llama-13b", "a30-24gb-pcie-8", 4);
    Engine changed = *deployed.engine;
    deployed.engine = &changed;
    const Architecture architecture(*deployed.model);
    changed.block_tokens = 4096;
    // Leaves room for 2,000 tokens of 204,800 bytes: half a block.
    changed.workspace_memory.value += memory_budget(architecture, deployed).kv - Bytes(2000 * 204'800.0);
    const MemoryBudget budget = memory_budget(architecture, deployed);
    CHECK(budget.kv_tokens == 0);
    REQUIRE(budget.refusal(*deployed.gpu));
    CHECK_THAT(budget.refusal(*deployed.gpu)->why, ContainsSubstring("by 409 MiB"));  // 2,096 x 204,800 = 429 MB
}

TEST_CASE("tokens held by requests of fixed length") {
    const Workload workload = lengths("100", "50");
    // Paged by single tokens: 101 ... 150 tokens in the fifty steps of a request.
    const KvDemand paged = kv_demand(engine(KvReservation::paged, 1), workload);
    CHECK(paged.mean == Approx(125.5));
    CHECK(paged.peak == Approx(150));
    // Blocks of 16: the last one is filled from 1 to 16 tokens alike, 7.5 empty in the mean.
    CHECK(kv_demand(engine(KvReservation::paged, 16), workload).mean == Approx(133));
    CHECK(kv_demand(engine(KvReservation::full, 1), workload).mean == Approx(150));
    Engine asks = engine(KvReservation::full, 1);
    asks.reserved_output_tokens = 512;
    CHECK(kv_demand(asks, workload).mean == Approx(612));
    CHECK(kv_demand(asks, workload).peak == Approx(612));
}

TEST_CASE("tokens held by requests of two lengths, counted step by step") {
    // Outputs of 10 and 30 tokens alike often, prompts of 100: in 40 steps of work 10 belong to the short request.
    // Sums of 1 ... 10 = 55 and 1 ... 30 = 465: 520 / 40 = 13 beyond the prompt; reserved (10 x 10 + 30 x 30) / 40
    // = 25. A uniform law between m - d and m + d has second moment m^2 + d^2 / 3: d^2 = 300 gives the same two
    // moments.
    const Workload workload = lengths("100", "uniform:min=2.6795,max=37.3205");
    CHECK(workload.output.second_moment() == Approx(500).epsilon(1e-4));
    CHECK(kv_demand(engine(KvReservation::paged, 1), workload).mean == Approx(113).epsilon(1e-4));
    const KvDemand full = kv_demand(engine(KvReservation::full, 1), workload);
    CHECK(full.mean == Approx(125).epsilon(1e-4));
    CHECK(full.peak == Approx(120).epsilon(1e-4));  // a mean over requests: 100 + 20
}

TEST_CASE("tokens held by requests of geometric length") {
    // Without memory, what is still to come is as long as the whole: E[o^2] / E[o] = 2 x 200, half of it done.
    const Workload workload = lengths("300", "geometric:mean=200");
    CHECK(kv_demand(engine(KvReservation::paged, 1), workload).mean == Approx(500).epsilon(0.01));
    CHECK(kv_demand(engine(KvReservation::full, 1), workload).mean == Approx(700).epsilon(0.01));
}

TEST_CASE("the largest batch is set by memory or by the engine") {
    Deployment deployed = deployment("llama-13b", "a30-24gb-pcie-8", 4);
    const MemoryBudget budget = memory_budget(Architecture(*deployed.model), deployed);
    // 83,812 tokens over 287 of prompt and output, all reserved.
    CHECK(largest_batch(budget, deployed, lengths("237", "50")) == Approx(83'812.0 / 287));
    deployed.max_sequences = 100;
    CHECK(largest_batch(budget, deployed, lengths("237", "50")) == 100);
}

TEST_CASE("GPT-OSS keeps half of its layers' tokens in a window of 128, worked by hand") {
    const Deployment deployed = deployment("gpt-oss-120b", "h100-80gb-sxm-8", 2, 1, "vllm-v1");
    const MemoryBudget budget = memory_budget(Architecture(*deployed.model), deployed);
    // 18 + 18 layers of 2 x 4 heads x 64 x 2 bytes a GPU: two groups of equal size, nothing to fill up.
    CHECK(budget.kv_of_new_token.value() == 36 * 1024);
    REQUIRE(budget.windows.size() == 1);
    CHECK(budget.windows[0].share == Approx(0.5));
    CHECK(budget.windows[0].tokens == 128);
    CHECK(budget.held(128, 0) == 128);
    CHECK(budget.held(1128, 0) == Approx(628));
    // Without requests in sight all layers are taken to keep all tokens.
    CHECK(budget.kv_per_token == budget.kv_of_new_token);

    // 1000 ... 1200 tokens, 1100 in the mean; half of the layers keep 128 and half a block: 550 + 68 = 618.
    const Workload workload = lengths("1000", "200");
    const MemoryBudget seen = memory_budget(Architecture(*deployed.model), deployed, &workload);
    CHECK(seen.kv_per_token.value() == Approx(36 * 1024 * 618.0 / 1100));
    CHECK(seen.kv_tokens == Approx(budget.kv_tokens * 1100 / 618).epsilon(1e-3));
    const Workload short_ones = lengths("50", "20");
    CHECK(memory_budget(Architecture(*deployed.model), deployed, &short_ones).kv_tokens == budget.kv_tokens);
}

TEST_CASE("two logged concurrencies of GPT-OSS come of one pool") {
    // vLLM on one H100, fp8 cache, 2048 tokens a step: 7.77 requests of 81,920 tokens and 6.51 of 98,304. Of the former
    // the groups hold 81,920 and 128 + 2048 + 15 tokens, of the latter 98,304 and as many.
    Deployment deployed = deployment("gpt-oss-120b", "h100-80gb-sxm-8", 1, 1, "vllm-v1");
    deployed.kv = Dtype::fp8;
    MemoryBudget budget = memory_budget(Architecture(*deployed.model), deployed);
    budget.kv = Bytes(7.77 * (81'920 + 2'191) * 18 * 1024.0);
    CHECK(printed_kv_tokens(budget, deployed, 81'920) == Approx(7.77 * 81'920).epsilon(1e-3));
    CHECK(printed_kv_tokens(budget, deployed, 98'304) == Approx(6.51 * 98'304).epsilon(2e-3));
}

TEST_CASE("Gemma 3 fills up its groups of layers, as logged") {
    Deployment deployed = deployment("gemma-3-27b", "h100-80gb-sxm-8", 1, 1, "vllm-v1-async");
    Engine engine_of_log = *deployed.engine;
    engine_of_log.max_step_tokens = 8192;
    deployed.engine = &engine_of_log;
    MemoryBudget budget = memory_budget(Architecture(*deployed.model), deployed);
    // 10 layers see all tokens and 52 a window of 1024: 1 + 6 groups of 10 with "8 padding layers", 16 heads x 128 x 4
    // bytes each.
    CHECK(budget.kv_of_new_token.value() == 70 * 8192);
    REQUIRE(budget.windows.size() == 1);
    CHECK(budget.windows[0].share == Approx(6.0 / 7));
    // vLLM 0.19: 19.53 GiB, 36,560 tokens; a step's chunk of 8192 beyond the window exceeds the longest request.
    budget.kv = Bytes(19.53 * 1024 * 1024 * 1024);
    CHECK(printed_kv_tokens(budget, deployed, 8192) == 36'560);

    Engine apart = engine_of_log;
    apart.windows = KvWindows::apart;
    deployed.engine = &apart;
    CHECK(memory_budget(Architecture(*deployed.model), deployed).kv_of_new_token.value() == 62 * 8192);
    Engine whole = engine_of_log;
    whole.windows = KvWindows::whole;
    deployed.engine = &whole;
    const MemoryBudget all = memory_budget(Architecture(*deployed.model), deployed);
    CHECK(all.windows.empty());
    CHECK(all.held(50'000, 0) == 50'000);
}

TEST_CASE("windows never take more memory than all tokens") {
    const Workload workload = lengths("lognormal:mean=2000,cv=1.5,max=60000", "geometric:mean=300");
    for (const char* name :
         {"gpt-oss-20b", "gpt-oss-120b", "gemma-3-4b", "gemma-3-27b", "gemma-2-27b", "llama-3.1-8b"}) {
        Deployment deployed = deployment(name, "h200-141gb-sxm-8", 1, 1, "vllm-v1");
        const Architecture architecture(*deployed.model);
        Engine changed = *deployed.engine;
        deployed.engine = &changed;
        std::vector<double> tokens;
        for (const KvWindows windows : {KvWindows::whole, KvWindows::grouped, KvWindows::apart}) {
            changed.windows = windows;
            tokens.push_back(memory_budget(architecture, deployed, &workload).kv_tokens);
        }
        INFO(name);
        CHECK(tokens[1] >= tokens[0]);
        CHECK(tokens[2] >= tokens[1]);
    }
}

TEST_CASE("the simulator's pool of blocks counts windows as the model does") {
    const Deployment deployed = deployment("gpt-oss-20b", "h100-80gb-sxm-8", 1, 1, "vllm-v1");
    const Workload workload = lengths("lognormal:mean=4000,cv=1,max=30000", "geometric:mean=400");
    const MemoryBudget budget = memory_budget(Architecture(*deployed.model), deployed, &workload);
    const Instance seen(deployed, &workload), unseen(deployed);
    CHECK(static_cast<double>(seen.settings().kv_blocks) * deployed.engine->block_tokens == budget.kv_tokens);
    // Requests of 4,200 tokens hold little more than half of their memory: 128 of a mean of some 7,000 held tokens.
    CHECK(static_cast<double>(seen.settings().kv_blocks) > 1.8 * static_cast<double>(unseen.settings().kv_blocks));
    CHECK(seen.settings().kv_blocks < 2 * unseen.settings().kv_blocks);
}
