// Messages and memory of the ways of splitting a model against values worked by hand, pipelines against a simulation.
#include "model/cost/parallelism.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "model/cost/memory.hpp"
#include "model/cost/step_cost.hpp"
#include "simulator/folded_timer.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
using testing::deployment;
using testing::model;

namespace {

const Storage fp16{Dtype::fp16, Dtype::fp16};

struct Message {
    double count = 0, bytes = 0;
    int ranks = 0;
};

/// The messages of a step by name.
std::map<std::string, Message> messages(const char* name, const StepShape& shape, const Split& split,
                                        Storage storage = fp16) {
    const Architecture architecture(model(name));
    std::vector<Operator> operators;
    step_operators(architecture, shape, split, storage, operators);
    std::map<std::string, Message> result;
    for (const Operator& op : operators) {
        if (!is_communication(op.kind) || op.count == 0) continue;
        Message& message = result[std::string(op.name)];
        message.count += op.count;
        message.bytes = op.work.message.value();
        message.ranks = op.ranks;
    }
    return result;
}

StepShape decodes(double sequences, double context) {
    return {.decode_sequences = sequences, .context_tokens = sequences * context};
}

Engine without_host(Engine engine) {
    Engine::Host& host = engine.host;
    for (Sourced<Seconds>* time :
         {&host.per_step, &host.per_sequence, &host.per_prefill, &host.per_request, &host.per_layer})
        time->value = Seconds(0);
    return engine;
}

Deployment laid_out(const char* name, const char* node, const Split& split, const Engine& engine) {
    Deployment result = deployment(name, node, split.tensor, split.pipeline);
    result.expert_parallel = split.expert;
    result.attention_data_parallel = split.attention_data;
    result.context_parallel = split.context;
    result.engine = &engine;
    return result;
}

/// An engine that has every layout.
Engine able(ExpertDispatch dispatch) {
    Engine engine = testing::library().engines.at("vllm-v1", "test");
    engine.layouts = {.expert = true, .attention_data = true, .context = true};
    engine.expert_dispatch = dispatch;
    return without_host(engine);
}

const Split layouts[] = {
    {.tensor = 8},
    {.tensor = 8, .expert = 8},
    {.tensor = 8, .attention_data = 8},
    {.tensor = 8, .attention_data = 2, .context = 2},
    {.tensor = 8, .context = 8},
    {.tensor = 8, .expert = 8, .attention_data = 8},
    {.tensor = 4, .expert = 4, .attention_data = 2, .pipeline = 2},
};

}  // namespace

TEST_CASE("parallelism: attention groups gather tokens before and scatter sums after an FFN") {
    // 64 tokens of 7168 values of 2 bytes: an eighth is a rank's own. No heads are divided, so nothing is all-reduced.
    const auto found = messages("deepseek-v3", decodes(64, 100), {.tensor = 8, .attention_data = 8});
    REQUIRE(found.size() == 2);
    for (const char* name : {"token_gather", "sum_scatter"}) {
        CHECK(found.at(name).count == 61);
        CHECK(found.at(name).bytes == 8 * 7168 * 2);
        CHECK(found.at(name).ranks == 8);
    }
    // Two groups of four: the attention of 32 tokens is all-reduced in a group, 61 times and after the embedding.
    const auto halves = messages("deepseek-v3", decodes(64, 100), {.tensor = 8, .attention_data = 2});
    CHECK(halves.at("all_reduce").count == 62);
    CHECK(halves.at("all_reduce").ranks == 4);
    CHECK(halves.at("all_reduce").bytes == 32 * 7168 * 2);
    CHECK(halves.at("sum_gather").ranks == 4);
    CHECK(halves.at("all_gather").bytes == 32.0 * 129280 / 4 * 2);
}

TEST_CASE("parallelism: experts that see all tokens send no messages of their own") {
    const Split plain{.tensor = 8}, divided{.tensor = 8, .expert = 8};
    const auto a = messages("mixtral-8x7b", decodes(10, 100), plain);
    const auto b = messages("mixtral-8x7b", decodes(10, 100), divided);
    REQUIRE(a.size() == b.size());
    for (const auto& [name, message] : a) {
        CHECK(b.at(name).count == message.count);
        CHECK(b.at(name).bytes == message.bytes);
    }
}

TEST_CASE("parallelism: tokens are sent once to each rank of their experts") {
    // 8 of 256 experts on 8 ranks: in four of eight groups of experts, a rank each: C(96, 8) / C(128, 8) =
    // 0.0927473 of those tokens miss it, so 4 x 0.907253 = 3.62901 ranks of which 7 / 8 are
    // others. A million tokens load the ranks alike. Three of 61 layers are dense: they are gathered.
    const double tokens = 1e6, copies = tokens / 8 * 3.62901 * 7 / 8;
    const Split split{.tensor = 8, .expert = 8, .attention_data = 8, .all_to_all = true};
    const auto found = messages("deepseek-v3", decodes(tokens, 100), split, {Dtype::fp8, Dtype::fp16});
    CHECK(found.at("expert_dispatch").count == Approx(58));
    CHECK(found.at("expert_combine").count == Approx(58));
    CHECK(found.at("token_gather").count == Approx(3));
    // A byte a value and 4 for each 128 values; 2 bytes back.
    CHECK(found.at("expert_dispatch").bytes == Approx(copies * (7168 + 224)).epsilon(0.003));
    CHECK(found.at("expert_combine").bytes == Approx(copies * 14336).epsilon(0.003));
    // Few tokens load them unevenly: the fullest counts.
    const auto few = messages("deepseek-v3", decodes(64, 100), split, {Dtype::fp8, Dtype::fp16});
    CHECK(few.at("expert_combine").bytes > 64.0 / 8 * 3.62901 * 7 / 8 * 14336 * 1.1);
    // Slices of experts on pairs of ranks: no all-to-all.
    const auto slices =
        messages("deepseek-v3", decodes(64, 100), {.tensor = 8, .expert = 4, .attention_data = 8, .all_to_all = true});
    CHECK(slices.count("expert_dispatch") == 0);
    CHECK(slices.at("token_gather").count == 61);
}

TEST_CASE("parallelism: ranks that divide a context send queries and partial outputs") {
    // DeepSeek-V3 on 8 ranks: 16 of 128 heads each, queries of 576 values, outputs of 512, a sum of 4 bytes a head.
    const auto found = messages("deepseek-v3", decodes(10, 1000), {.tensor = 8, .context = 8});
    CHECK(found.at("query_gather").bytes == 10.0 * 16 * 576 * 2);
    CHECK(found.at("partial_scatter").bytes == 10.0 * 16 * 512 * 2);
    CHECK(found.at("partial_sums_gather").bytes == 10.0 * 128 * 4);
    CHECK(found.at("query_gather").count == 61);
    CHECK(found.at("all_reduce").ranks == 8);
    CHECK(found.count("context_gather") == 0);
    // A chunk of 100 after 900: each rank sends an eighth of the latents of those 900; the chunk's own are at hand.
    const StepShape chunk{.prefill_sequences = 1, .prefill_tokens = 100, .attention_pairs = causal_pairs(100, 900)};
    CHECK(messages("deepseek-v3", chunk, {.tensor = 8, .context = 8}).at("context_gather").bytes ==
          Approx(900.0 * 576 * 2 / 8));
    const StepShape first{.prefill_sequences = 1, .prefill_tokens = 100, .attention_pairs = causal_pairs(100, 0)};
    CHECK(messages("deepseek-v3", first, {.tensor = 8, .context = 8}).count("context_gather") == 0);
}

TEST_CASE("parallelism: what a rank keeps of the KV cache") {
    const Architecture latent(model("deepseek-v3")), grouped(model("qwen3-235b-a22b"));
    const auto kv = [](const Architecture& of, const Split& split) {
        return of.kv_bytes_per_token_per_rank(split, Dtype::fp16).value();
    };
    const double whole = 576.0 * 61 * 2;
    CHECK(kv(latent, {.tensor = 8}) == whole);
    CHECK(kv(latent, {.tensor = 8, .attention_data = 8}) == whole / 8);
    CHECK(kv(latent, {.tensor = 8, .context = 8}) == whole / 8);
    CHECK(kv(latent, {.tensor = 8, .attention_data = 2, .context = 4}) == whole / 8);
    // Four KV heads of 128 in 94 layers: eight ranks hold each twice, unless two share its tokens.
    CHECK(kv(grouped, {.tensor = 8}) == 2.0 * 128 * 94 * 2);
    CHECK(kv(grouped, {.tensor = 8, .context = 2}) == 128.0 * 94 * 2);
    // A group of four ranks has one head each, of half of the requests.
    CHECK(kv(grouped, {.tensor = 8, .attention_data = 2}) == 128.0 * 94 * 2);
    // The whole budget: attention whole on each rank leaves less for the cache, which holds four times as many tokens.
    const Engine engine = able(ExpertDispatch::all_gather);
    const auto tokens = [&](const Split& split) {
        Deployment d = laid_out("deepseek-v3", "h200-141gb-sxm-8", split, engine);
        d.weights = Dtype::fp8;
        return memory_budget(latent, d).kv_tokens;
    };
    CHECK(tokens({.tensor = 8, .attention_data = 8}) > 4 * tokens({.tensor = 8}));
    CHECK(tokens({.tensor = 8, .context = 8}) == Approx(8 * tokens({.tensor = 8})).epsilon(0.01));
}

TEST_CASE("parallelism: what cannot be divided is refused in words") {
    const Architecture latent(model("deepseek-v3")), grouped(model("qwen3-235b-a22b")), dense(model("llama-2-70b"));
    CHECK(*latent.refusal({.tensor = 8, .expert = 3}) == "3 expert ranks do not divide 8 ranks");
    CHECK(*latent.refusal({.tensor = 8, .attention_data = 3}) == "3 attention groups do not divide 8 ranks");
    CHECK(*latent.refusal({.tensor = 8, .attention_data = 8, .context = 2}) ==
          "2 ranks cannot divide a context: 1 of 1 have the same KV heads");
    CHECK(*grouped.refusal({.tensor = 8, .context = 4}) ==
          "4 ranks cannot divide a context: 2 of 8 have the same KV heads");
    CHECK(!grouped.refusal({.tensor = 8, .context = 2}));
    CHECK(*dense.refusal({.tensor = 8, .expert = 8}) == "the model has no experts to divide");
    CHECK(!dense.refusal({.tensor = 8, .attention_data = 2}));
    Deployment d = deployment("deepseek-v3", "h200-141gb-sxm-8", 8);
    CHECK(!engine_refusal(d));
    d.expert_parallel = 8;
    CHECK(*engine_refusal(d) == "tgi-lightllm-2023 does not divide experts over ranks");
    CHECK(split_text(d) == "TP8 EP8");
}

TEST_CASE("parallelism: the fold is the sum over operators in every layout") {
    for (const ExpertDispatch dispatch : {ExpertDispatch::all_gather, ExpertDispatch::all_to_all})
        for (const Split& split : layouts) {
            const Engine engine = able(dispatch);
            const Deployment d = laid_out("deepseek-v2", "h200-141gb-sxm-8", split, engine);
            const Architecture architecture(*d.model);
            REQUIRE(!architecture.refusal(split));
            const StepCost cost(architecture, d);
            const auto sum = [&](const StepShape& shape) {
                std::vector<Operator> operators;
                cost.operators(shape, operators);
                Seconds total;
                for (const Operator& op : operators) total += cost.kernels().time(op) * (op.count * cost.stages());
                return total.value();
            };
            INFO(split_text(d));
            for (const double sequences : {16.0, 64.0, 1024.0})
                CHECK(cost.decode(sequences, sequences * 700).value() ==
                      Approx(sum(decodes(sequences, 700))).epsilon(1e-9));
            // Fewer sequences than groups, and sizes between the points of the tables.
            for (const double sequences : {1.0, 3.0, 7.0, 100.0})
                CHECK(cost.decode(sequences, sequences * 700).value() ==
                      Approx(sum(decodes(sequences, 700))).epsilon(0.02));
            for (const double prompts : {1.0, 4.0, 16.0}) {
                const StepShape mixed{.prefill_sequences = prompts,
                                      .prefill_tokens = 512 * prompts,
                                      .attention_pairs = prompts * causal_pairs(512, 512),
                                      .decode_sequences = 40,
                                      .context_tokens = 40000};
                CHECK(cost.step(mixed).value() == Approx(sum(mixed)).epsilon(0.01));
            }
        }
}

TEST_CASE("parallelism: the lines of decode batches hold in every layout") {
    for (const Split& split : layouts) {
        Engine engine = able(ExpertDispatch::all_to_all);
        engine.host.per_layer.value = Seconds(0.4e-3);  // the GPU overtakes the host somewhere
        engine.host.graph_batch = 0;
        const Deployment d = laid_out("deepseek-v2", "h200-141gb-sxm-8", split, engine);
        const Architecture architecture(*d.model);
        const StepCost cost(architecture, d);
        const FoldedTimer timer(cost, 64);
        for (const std::uint32_t n : {1U, 3U, 8U, 64U})
            for (const std::uint64_t context : {10ULL, 1000ULL, 30000ULL, 300000ULL}) {
                INFO(split_text(d) << " " << n << " " << context);
                CHECK(timer.decode(n, n * context).first.value() ==
                      Approx(cost.decode(n, static_cast<double>(n * context)).value()).epsilon(1e-9));
            }
    }
}

TEST_CASE("parallelism: a lone prompt is the work of one attention group") {
    // Seven groups of ranks wait: its attention takes as long as on one rank, that of eight prompts no longer.
    const Engine engine = able(ExpertDispatch::all_gather);
    const Deployment d = laid_out("deepseek-v2", "h200-141gb-sxm-8", {.tensor = 8, .attention_data = 8}, engine);
    const Architecture architecture(*d.model);
    const Split split = split_of(d);
    const auto pairs = [&](double prompts) {
        const StepShape shape{.prefill_sequences = prompts,
                              .prefill_tokens = 1000 * prompts,
                              .attention_pairs = prompts * causal_pairs(1000, 0)};
        return architecture.prefill_attention(0, part_of(shape, 8), split, fp16).work.flop.value();
    };
    CHECK(pairs(1) == pairs(8));
    CHECK(pairs(16) == Approx(2 * pairs(8)));
}

TEST_CASE("parallelism: every mixture reads all its experts in a large batch and few in a small one") {
    int mixtures = 0;
    for (const std::string& name : testing::library().models.names()) {
        const Architecture architecture(model(name));
        if (architecture.expert_layers_per_stage({}) == 0) continue;
        ++mixtures;
        const auto experts = [&](double batch, int ranks) {
            std::vector<Operator> operators;
            step_operators(architecture, decodes(batch, 10), {.tensor = ranks, .expert = ranks}, fp16, operators);
            double weights = 0;
            for (const Operator& op : operators) weights += op.count * op.experts * op.n * op.k;
            return weights;
        };
        INFO(name);
        // One token passes by the experts that are not among its active parameters; a large batch by none.
        const auto idle = static_cast<double>(architecture.parameters() - architecture.active_parameters());
        CHECK(experts(1e6, 1) - experts(1, 1) == Approx(idle).epsilon(0.01));
        CHECK(experts(1e6, 1) / experts(1e5, 1) == Approx(1).epsilon(1e-6));
        double before = 0;
        for (const double batch : {1.0, 2.0, 8.0, 64.0, 512.0, 4096.0}) {
            CHECK(experts(batch, 1) >= before);
            before = experts(batch, 1);
        }
        if (!architecture.refusal({.tensor = 8, .expert = 8}))
            CHECK(experts(1e6, 8) == Approx(experts(1e6, 1) / 8).epsilon(1e-6));
    }
    CHECK(mixtures >= 8);
}

TEST_CASE("parallelism: a pipeline's token interval is that of batches that go round its stages") {
    // Batches go from stage to stage, one at a time on each, and round again; sequences are dealt to as many batches as
    // there are stages. The interval between a batch's tokens is read off when it has settled.
    const auto simulated = [](const std::vector<double>& stage_times, int stages) {
        std::vector<double> free(static_cast<std::size_t>(stages)), ready(stage_times.size()), before(ready);
        for (int round = 0; round < 50; ++round) {
            before = ready;
            for (std::size_t batch = 0; batch < ready.size(); ++batch)
                for (double& stage : free) {
                    ready[batch] = std::max(ready[batch], stage) + stage_times[batch];
                    stage = ready[batch];
                }
        }
        return ready[0] - before[0];
    };
    Engine engine = without_host(testing::library().engines.at("vllm-v1", "test"));
    Deployment d = deployment("llama-13b", "a100-80gb-sxm-8", 1);
    d.engine = &engine;
    const Architecture architecture(*d.model);
    const StepCost whole(architecture, d);
    const CollectiveTimes pair(*d.node, 2, engine.collective_overhead.value);
    for (const int stages : {2, 4, 8}) {
        d.pipeline_parallel = stages;
        const StepCost cost(architecture, d);
        for (const int sequences : {1, 3, 4, 8, 64}) {
            const int batches = std::min(stages, sequences);
            if (sequences % batches != 0) continue;
            const double each = static_cast<double>(sequences) / batches;
            const double message = pair.send_recv(Bytes(each * 5120 * 2)).value() * (stages - 1.0) / stages;
            const double stage = whole.decode(each, each * 900).value() / stages + message;
            INFO(stages << " stages " << sequences);
            CHECK(
                cost.decode(sequences, sequences * 900.0).value() ==
                Approx(simulated(std::vector<double>(static_cast<std::size_t>(batches), stage), stages)).epsilon(1e-6));
        }
    }
}
