// Memory budgets worked by hand, and what requests hold of the cache.
#include "model/cost/memory.hpp"

#include <cmath>

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
    // 16384 prompt tokens x (2 x 5120 + 3 x 3456) values of 2 bytes, logits of 1000 rows x 32000 x 4 bytes.
    CHECK(budget.activations.value() == 16384.0 * (10240 + 10368) * 2 + 1000.0 * 32000 * 4);
    CHECK(budget.framework.value() + budget.workspace.value() + budget.communication.value() == Approx(0.5e9 + 0.42e9));
    CHECK(budget.graphs.value() == 0);
    // 2 x 10 heads x 128 x 40 layers x 2 bytes.
    CHECK(budget.kv_per_token.value() == 204'800);
    // 25,436,356,608 less 6,508,554,240 of weights, 803,282,944 of activations and 0.92e9: 17,204,519,424 bytes,
    // 84,006.4 tokens of one-token blocks.
    CHECK(budget.kv.value() == Approx(17'204'519'424.0));
    CHECK(budget.kv_tokens == 84'006);
    CHECK(!budget.refusal(*deployed.gpu));
    // 30 % of the activations, 241 MB; 0.5 GB of the framework, 0.4 GB of communication: the root of their squares.
    CHECK(budget.deviation.value() == Approx(684.1e6).epsilon(1e-3));
    // A deviation less is 3,340.6 tokens less.
    CHECK(with_more_kv(budget, *deployed.engine, budget.deviation * -1.0).kv_tokens == 80'665);
}

TEST_CASE("a budget is spent to the last byte") {
    for (const std::string& name : testing::library().engines.names()) {
        const Deployment deployed = deployment("llama-2-7b", "a40-48gb-pcie-8", 2, 1, name);
        const MemoryBudget budget = memory_budget(Architecture(*deployed.model), deployed);
        INFO(name);
        CHECK((budget.fixed() + budget.kv).value() == Approx(budget.usable.value()));
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
    // 24.2 + 2.2 GiB (activations 16384 x (10240 + 41472) x 2 + 128 MB, 0.5 GB of runtime) for 23.7.
    CHECK(why->why == "weights 24.2 GiB + runtime 2.16 GiB a GPU exceed the 23.7 GiB of a30-24gb-pcie by 2.72 GiB");
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
    // 84,006 tokens over 287 of prompt and output, all reserved.
    CHECK(largest_batch(budget, deployed, lengths("237", "50")) == Approx(84'006.0 / 287));
    deployed.max_sequences = 100;
    CHECK(largest_batch(budget, deployed, lengths("237", "50")) == 100);
}
