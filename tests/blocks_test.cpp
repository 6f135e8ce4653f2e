// Laws over every registered kind of block and of parallelism, on the library models that use them.
#include <algorithm>

#include "model/cost/parallelism.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
using testing::model;

namespace {

const StepShape mixed{.prefill_sequences = 2,
                      .prefill_tokens = 300,
                      .attention_pairs = 2 * causal_pairs(150, 0),
                      .decode_sequences = 6,
                      .context_tokens = 4000};
const Storage fp16{Dtype::fp16, Dtype::fp16};

/// Every library model whose attention or FFN is of the kind, at most three.
std::vector<const Transformer*> users_of(const std::string& kind) {
    std::vector<const Transformer*> found;
    for (const std::string& name : testing::library().models.names()) {
        const Transformer& entry = model(name);
        const std::string attention = "attention_" + entry.groups.back().attention.string("kind");
        const std::string ffn = "ffn_" + entry.groups.back().ffn.string("kind");
        if ((attention == kind || ffn == kind) && found.size() < 3) found.push_back(&entry);
    }
    return found;
}

const Fields& fields_of(const std::string& kind, const Transformer& model) {
    return block_kinds().at(kind, "kind", "test").is_attention ? model.groups.back().attention
                                                               : model.groups.back().ffn;
}

std::vector<Operator> operators_of(const Block& block, const StepShape& shape, const Split& split, Storage storage) {
    std::vector<Operator> operators;
    block.add_operators(shape, split, storage, operators);
    return operators;
}

double flop(const std::vector<Operator>& operators) {
    double sum = 0;
    for (const Operator& op : operators) sum += op.count * op.work.flop.value();
    return sum;
}

/// Arithmetic of all ranks together, where what each does alike counts once.
double flop_of_ranks(const std::vector<Operator>& operators, int ranks) {
    double sum = 0;
    for (const Operator& op : operators) sum += op.count * op.work.flop.value() * (op.replicated ? 1 : ranks);
    return sum;
}

double bytes(const std::vector<Operator>& operators) {
    double sum = 0;
    for (const Operator& op : operators) sum += op.count * (op.work.bytes_read + op.work.bytes_written).value();
    return sum;
}

std::vector<Operator> step(const Architecture& architecture, const StepShape& shape, Split split) {
    std::vector<Operator> operators;
    step_operators(architecture, shape, split, fp16, operators);
    return operators;
}

bool is_message(const Operator& op) {
    return op.work.message > Bytes(0);
}

}  // namespace

TEST_CASE("every kind of block keeps the laws of work") {
    for (const auto& [kind, maker] : block_kinds()) {
        const auto models = users_of(kind);
        INFO(kind);
        REQUIRE(!models.empty());
        for (const Transformer* entry : models) {
            INFO(entry->name);
            const auto block = maker.make(fields_of(kind, *entry), entry->hidden);
            CHECK(block->matrix_parameters_per_rank({}) == block->matrix_parameters());
            CHECK(maker.is_attention == (block->kv_values_per_token({}) > 0));

            const auto whole = operators_of(*block, mixed, {}, fp16);
            CHECK(flop(whole) > 0);
            for (const Operator& op : whole) {
                CHECK(!op.name.empty());
                CHECK(!op.document_name.empty());
                CHECK(!is_message(op));
            }
            // More of anything is more work.
            for (double StepShape::*part : {&StepShape::prefill_tokens, &StepShape::decode_sequences}) {
                StepShape more = mixed;
                more.*part += 1;
                CHECK(flop(operators_of(*block, more, {}, fp16)) > flop(whole));
                CHECK(bytes(operators_of(*block, more, {}, fp16)) > bytes(whole));
            }
            // Half the bytes a weight make less traffic and the same arithmetic.
            const auto quantized = operators_of(*block, mixed, {}, {Dtype::awq_int4, Dtype::fp16});
            CHECK(flop(quantized) == Approx(flop(whole)));
            CHECK(bytes(quantized) < bytes(whole));
        }
    }
}

TEST_CASE("every kind of block divides its work over ranks") {
    for (const auto& [kind, maker] : block_kinds())
        for (const Transformer* entry : users_of(kind)) {
            const auto block = maker.make(fields_of(kind, *entry), entry->hidden);
            const double whole = flop(operators_of(*block, mixed, {}, fp16));
            double parameters = 1e30, kv = 1e30, widest = 1e30;
            for (const int tensor : {1, 2, 4, 8}) {
                const Split split{.tensor = tensor};
                if (block->refusal(split)) continue;
                INFO(kind << " of " << entry->name << " over " << tensor);
                const double all = flop_of_ranks(operators_of(*block, mixed, split, fp16), tensor);
                CHECK(all >= whole * (1 - 1e-12));
                // Ranks that hold copies of a KV head compute it each.
                const bool copies = !block->window() && entry->groups.back().attention.string("kind") == "gqa" &&
                                    block->kv_values_per_token(split) * tensor > block->kv_values_per_token({});
                if (!copies) CHECK(all <= whole * (1 + 1e-12));
                // All ranks together hold every parameter, some of them twice.
                const auto here = static_cast<double>(block->matrix_parameters_per_rank(split));
                CHECK(here * tensor >= static_cast<double>(block->matrix_parameters()));
                CHECK(here <= parameters);
                CHECK(block->kv_values_per_token(split) * tensor >= block->kv_values_per_token({}));
                CHECK(block->kv_values_per_token(split) <= kv);
                CHECK(block->widest_activation(split) <= widest);
                parameters = here;
                kv = block->kv_values_per_token(split);
                widest = block->widest_activation(split);
            }
        }
}

TEST_CASE("parallelism of degree one changes nothing and sends nothing") {
    const Architecture architecture(model("llama-2-70b"));
    const auto alone = step(architecture, mixed, {});
    CHECK(std::none_of(alone.begin(), alone.end(), is_message));
    for (const auto& [name, kind] : parallelism_kinds()) {
        INFO(name);
        const Split split = kind.split(1);
        CHECK(kind.degree(split) == 1);
        const auto same = step(architecture, mixed, split);
        REQUIRE(same.size() == alone.size());
        CHECK(flop(same) == flop(alone));
        CHECK(bytes(same) == bytes(alone));
        for (const int degree : {2, 4, 8}) {
            const Split wide = kind.split(degree);
            CHECK(kind.degree(wide) == degree);
            CHECK(wide.tensor * wide.pipeline * wide.data == degree);
        }
    }
}

TEST_CASE("memory of a rank never grows with the degree, and work is conserved") {
    for (const char* name : {"llama-13b", "llama-2-70b", "llama-3.2-1b", "internlm-20b"}) {
        const Architecture architecture(model(name));
        const double whole = flop(step(architecture, mixed, {}));
        for (const auto& [kind_name, kind] : parallelism_kinds()) {
            INFO(name << " " << kind_name);
            Bytes weights(1e30), kv(1e30), activations(1e30);
            for (const int degree : {1, 2, 4, 8}) {
                const Split split = kind.split(degree);
                if (architecture.refusal(split)) continue;
                CHECK(architecture.weight_bytes_per_rank(split, Dtype::fp16) <= weights);
                CHECK(architecture.kv_bytes_per_token_per_rank(split, Dtype::fp16) <= kv);
                CHECK(architecture.activation_bytes(2048, 64, split, Dtype::fp16) <= activations);
                weights = architecture.weight_bytes_per_rank(split, Dtype::fp16);
                kv = architecture.kv_bytes_per_token_per_rank(split, Dtype::fp16);
                activations = architecture.activation_bytes(2048, 64, split, Dtype::fp16);
                // The fullest rank times the ranks; layers that do not divide leave other stages with one less, and
                // vocabularies are padded.
                const int ranks = split.tensor * split.pipeline, layers = architecture.model().layers;
                const double full = static_cast<double>(architecture.layers_per_stage(split) * split.pipeline) / layers;
                const double all = flop(step(architecture, mixed, split)) * ranks;
                CHECK(all >= whole * (1 - 1e-12));
                CHECK(all <= whole * full * (1 + 1e-3));
            }
        }
    }
}

TEST_CASE("weights of one rank are all weights, of any type") {
    for (const std::string& name : testing::library().models.names()) {
        const Architecture architecture(model(name));
        for (const Dtype dtype : {Dtype::fp32, Dtype::fp16, Dtype::fp8, Dtype::awq_int4}) {
            INFO(name << " " << to_string(dtype));
            CHECK(architecture.weight_bytes_per_rank({}, dtype).value() ==
                  Approx(architecture.weight_bytes(dtype).value()).epsilon(1e-12));
        }
        CHECK(architecture.weight_bytes(Dtype::fp16).value() == 2.0 * static_cast<double>(architecture.parameters()));
        CHECK(architecture.weight_bytes(Dtype::fp32).value() == 4.0 * static_cast<double>(architecture.parameters()));
    }
}

TEST_CASE("layers add up") {
    Transformer one = model("llama-13b"), two = one, three = one;
    one.layers = one.groups[0].layers = 1, two.layers = two.groups[0].layers = 2;
    three.layers = three.groups[0].layers = 3;
    const double first = flop(step(Architecture(one), mixed, {}));
    const double second = flop(step(Architecture(two), mixed, {}));
    const double third = flop(step(Architecture(three), mixed, {}));
    CHECK(second - first == Approx(third - second).epsilon(1e-12));
    CHECK(Architecture(three).parameters() - Architecture(two).parameters() ==
          Architecture(two).parameters() - Architecture(one).parameters());
}

TEST_CASE("KV heads are copied when ranks outnumber them") {
    // Eight KV heads of 128 values, keys and values, 80 layers, 2 bytes: one head a rank from eight ranks on.
    const Architecture architecture(model("llama-2-70b"));
    const auto kv = [&](int tensor) {
        return architecture.kv_bytes_per_token_per_rank({.tensor = tensor}, Dtype::fp16).value();
    };
    CHECK(kv(4) == 2 * 2 * 128 * 80 * 2);
    CHECK(kv(8) == 2 * 128 * 80 * 2);
    CHECK(kv(16) == kv(8));
    CHECK(kv(64) == kv(8));
}

TEST_CASE("splits that cannot be are refused in words") {
    // 52 heads of LLaMA-30B.
    const Architecture llama_30b(model("llama-30b"));
    CHECK(!llama_30b.refusal({.tensor = 4}));
    CHECK(*llama_30b.refusal({.tensor = 8}) == "8 ranks do not divide 52 attention heads");
    CHECK(*llama_30b.refusal({.pipeline = 61}) == "61 pipeline stages for 60 layers");
    // 24 heads and 8 KV heads: three ranks divide the heads but would cut KV heads; twelve would copy half of them.
    const Architecture llama_3b(model("llama-3.2-3b"));
    CHECK_THAT(*llama_3b.refusal({.tensor = 3}),
               ContainsSubstring("3 ranks neither divide nor are a multiple of 8 KV"));
    CHECK_THAT(*llama_3b.refusal({.tensor = 12}), ContainsSubstring("12 ranks neither divide"));
}

TEST_CASE("an unknown kind of block is refused with the known ones") {
    Transformer odd = model("llama-13b");
    odd.groups[0].attention = Fields::from_text(R"({"kind": "gqq", "heads": 1})", "odd.json");
    CHECK_THROWS_WITH(Architecture(odd), ContainsSubstring("odd.json: /kind") && ContainsSubstring("attention_gqa"));
    odd.groups[0].attention =
        Fields::from_text(R"({"kind": "gqa", "heads": 40, "kv_heads": 7, "head_dim": 128})", "odd.json");
    CHECK_THROWS_WITH(Architecture(odd), ContainsSubstring("/kv_heads: must divide 'heads'"));
}

TEST_CASE("tensor ranks exchange two all-reduces a layer and one after the embedding") {
    const Architecture architecture(model("llama-13b"));
    const auto operators = step(architecture, {.decode_sequences = 10, .context_tokens = 1000}, {.tensor = 4});
    const auto found = std::find_if(operators.begin(), operators.end(),
                                    [](const Operator& op) { return op.kind == OperatorKind::all_reduce; });
    REQUIRE(found != operators.end());
    CHECK(found->count == 81);
    CHECK(found->work.message.value() == 10 * 5120 * 2);
    const auto gather = std::find_if(operators.begin(), operators.end(),
                                     [](const Operator& op) { return op.kind == OperatorKind::all_gather; });
    REQUIRE(gather != operators.end());
    CHECK(gather->work.message.value() == 10 * 8000 * 2);  // a quarter of 32000 logits a sequence
}

TEST_CASE("active parameters are those that the published counts say") {
    // Mixtral: 12.9 billion of 46.7; DeepSeek-V3: 37 of 671; Qwen3-235B-A22B: 22 of 235 (model cards, rounded).
    CHECK(static_cast<double>(Architecture(model("mixtral-8x7b")).active_parameters()) ==
          Approx(12.9e9).epsilon(0.005));
    CHECK(static_cast<double>(Architecture(model("deepseek-v3")).active_parameters()) == Approx(37e9).epsilon(0.02));
    CHECK(static_cast<double>(Architecture(model("qwen3-235b-a22b")).active_parameters()) ==
          Approx(22e9).epsilon(0.02));
    const Architecture dense(model("llama-13b"));
    CHECK(dense.active_parameters() == dense.parameters());
}

TEST_CASE("a window cuts what a query sees") {
    // Query 1 to 4 after 3 tokens under a window of 5: 4 + 5 + 5 + 5.
    CHECK(windowed_pairs(4, 3, 5) == 19);
    CHECK(windowed_pairs(4, 3, 100) == causal_pairs(4, 3));
    CHECK(windowed_pairs(4, 9, 5) == 20);
    // GPT-OSS: half of the layers read 128 tokens of each sequence at the most.
    const Architecture architecture(model("gpt-oss-20b"));
    const auto read = [&](std::size_t group, double context) {
        return architecture.decode_attention(group, {.decode_sequences = 10, .context_tokens = context}, {}, fp16)
            .pairs;
    };
    CHECK(architecture.window(0) == 128);
    CHECK(read(0, 1000) == 1000);
    CHECK(read(0, 1e6) == 1280);
    CHECK(read(1, 1e6) == 1e6);
}

TEST_CASE("DeepSeek-V3 keeps one latent a token on every rank") {
    // 512 + 64 values, 61 layers, 2 bytes.
    const Architecture architecture(model("deepseek-v3"));
    for (const int tensor : {1, 8, 16})
        CHECK(architecture.kv_bytes_per_token_per_rank({.tensor = tensor}, Dtype::fp16).value() == 576 * 61 * 2);
}

TEST_CASE("a small batch reads few experts and a large one all") {
    const Architecture mixture(model("mixtral-8x7b"));
    const auto bytes_of = [&](double batch) {
        std::vector<Operator> operators = step(mixture, {.decode_sequences = batch, .context_tokens = batch}, {});
        double sum = 0;
        for (const Operator& op : operators)
            if (op.experts > 0 && op.kind == OperatorKind::gemm) sum += op.count * (op.work.bytes_read).value();
        return sum;
    };
    // One token reaches two experts of three matrices of 4096 x 14336; 1000 tokens all eight; 32 layers, 2 bytes.
    const double expert = 3.0 * 4096 * 14336 * 32 * 2;
    CHECK(bytes_of(1) == Approx(2 * expert).epsilon(1e-3));
    // Rows of 1000 x 2 inputs of 4096 and of 14336 stand beside the weights.
    CHECK(bytes_of(1000) == Approx(8 * expert + 2000.0 * (4096 + 14336) * 32 * 2).epsilon(1e-9));
}
