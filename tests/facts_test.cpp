// Published or hand-counted figures that the cost model has to give to the last digit.
#include <cmath>

#include "model/cost/architecture.hpp"
#include "model/cost/collective.hpp"
#include "model/cost/work.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
using testing::model;

TEST_CASE("parameter totals equal the published ones") {
    int compared = 0;
    for (const std::string& name : testing::library().models.names()) {
        const Transformer& entry = model(name);
        if (!entry.published_parameters) continue;
        INFO(name);
        CHECK(Architecture(entry).parameters() == *entry.published_parameters);
        ++compared;
    }
    CHECK(compared >= 16);
}

TEST_CASE("parameters of LLaMA-13B counted by hand") {
    // Layer: attention 4 x 5120^2 = 104,857,600; FFN 3 x 5120 x 13824 = 212,336,640; norms 2 x 5120 = 10,240.
    // 40 layers: 12,688,179,200; two tables of 32000 x 5120: 327,680,000; final norm 5,120.
    CHECK(Architecture(model("llama-13b")).parameters() == 12'688'179'200 + 327'680'000 + 5'120);
}

TEST_CASE("the tied table of Llama-3.2-1B counts once") {
    // 128256 x 2048 = 262,668,288 parameters that an untied head would add to 1,235,814,400.
    CHECK(Architecture(model("llama-3.2-1b")).parameters() == 1'235'814'400);
    Transformer untied = model("llama-3.2-1b");
    untied.tied_embeddings = false;
    CHECK(Architecture(untied).parameters() == 1'235'814'400 + 262'668'288);
}

TEST_CASE("KV bytes a token") {
    const auto bytes = [](const char* name, Dtype kv) {
        return Architecture(model(name)).kv_bytes_per_token(kv).value();
    };
    CHECK(bytes("llama-13b", Dtype::fp16) == 819'200);    // 2 x 40 layers x 5120 x 2 B
    CHECK(bytes("llama-65b", Dtype::fp16) == 2'621'440);  // 2 x 80 x 8192 x 2 B
    CHECK(bytes("llama-2-70b", Dtype::fp16) == 327'680);  // 2 x 80 x 8 heads x 128 x 2 B
    CHECK(bytes("llama-3-8b", Dtype::bf16) == 131'072);   // 2 x 32 x 8 x 128 x 2 B
    CHECK(bytes("llama-2-70b", Dtype::fp8) == 163'840);   // half of fp16
    CHECK(bytes("llama-3.2-1b", Dtype::fp16) == 32'768);  // 2 x 16 x 8 x 64 x 2 B
}

TEST_CASE("the documents' theoretical batch of InternLM-20B on eight A100") {
    // All of 8 x 40e9 bytes less the fp16 weights, shared by sequences of 2,048 tokens.
    const Architecture architecture(model("internlm-20b"));
    const Bytes left = Bytes(8 * 40e9) - architecture.weight_bytes(Dtype::fp16);
    CHECK(std::floor(left / (architecture.kv_bytes_per_token(Dtype::fp16) * 2048.0)) == 111);
}

TEST_CASE("bytes of a ring all-reduce") {
    // Each of p ranks sends 2 (p - 1) chunks of S / p.
    CHECK(ring_all_reduce_bytes(Bytes(8e6), 1).value() == 0);
    CHECK(ring_all_reduce_bytes(Bytes(8e6), 2).value() == Approx(8e6));
    CHECK(ring_all_reduce_bytes(Bytes(8e6), 4).value() == Approx(12e6));
    CHECK(ring_all_reduce_bytes(Bytes(8e6), 8).value() == Approx(14e6));
}

TEST_CASE("sizes of stored values") {
    // A group of 128 weights takes 64 bytes, 2 of scale, half a byte of zero point: 66.5 / 128.
    for (const Dtype four_bit : {Dtype::awq_int4, Dtype::gptq_int4}) {
        CHECK(bytes_per_value(four_bit) * 128 == 66.5);
        CHECK(is_expanded(four_bit));
        CHECK(arithmetic_dtype(four_bit) == Dtype::fp16);
        CHECK(activation_dtype(four_bit) == Dtype::fp16);
    }
    CHECK(bytes_per_value(Dtype::fp32) == 4);
    CHECK(bytes_per_value(Dtype::bf16) == 2);
    CHECK(bytes_per_value(Dtype::fp8) == 1);
    CHECK(!is_expanded(Dtype::int8));
}

TEST_CASE("a 4-bit Llama-3.1-8B keeps tables and norms in 16 bit") {
    // Matrices: 32 x (4096 x 128 x (2 x 32 + 2 x 8) + 3 x 4096 x 14336) = 6,979,321,856 of 4.15625 bits;
    // the other 8,030,261,248 - 6,979,321,856 = 1,050,939,392 of 2 bytes.
    const double expected = 6'979'321'856.0 * 66.5 / 128 + 1'050'939'392.0 * 2;
    CHECK(Architecture(model("llama-3.1-8b")).weight_bytes(Dtype::awq_int4).value() == Approx(expected).epsilon(1e-14));
}

TEST_CASE("query-key pairs of a causal prefill") {
    CHECK(causal_pairs(4, 0) == 10);         // 1 + 2 + 3 + 4
    CHECK(causal_pairs(3, 5) == 6 + 7 + 8);  // each query sees the past and itself
    CHECK(causal_pairs(100, 0) + causal_pairs(28, 100) == causal_pairs(128, 0));
}
