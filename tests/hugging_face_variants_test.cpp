// Published configs differ in what they leave out, where they say it and how they are quantized; all of that is read as
// transformers and vLLM read it, or refused with the place.
#include "model/base/error.hpp"
#include "model/cost/architecture.hpp"
#include "tests/catch.hpp"
#include "tests/hugging_face.hpp"

using namespace plimsoll;
using namespace plimsoll::published;

namespace {

Transformer without(const std::string& name, const std::set<std::string>& dropped) {
    return read_model(config_without(name, dropped));
}

int number_in(const Fields& block, const std::string& key) {
    return static_cast<int>(block.integer(key, {0, 1e9}));
}

int kv_heads(const Transformer& model) {
    return number_in(model.groups.front().attention, "kv_heads");
}

std::string place(const std::string& name) {
    return folder + name + "/config.json: ";
}

std::string_view quantized(const std::string& quantization) {
    return to_string(changed("yi-34b", {{"quantization_config", quantization}}).native_dtype);
}

std::string refused_quantization(const std::string& quantization) {
    const std::string message = refusal("yi-34b", {{"quantization_config", quantization}});
    const std::string start = place("yi-34b") + "/quantization_config";
    REQUIRE(message.starts_with(start));
    return message.substr(start.size());
}

}  // namespace

// The defaults are those of the configuration classes: PretrainedConfig ties, LlamaConfig, MistralConfig, Qwen2Config
// and DeepseekV3Config do not.
TEST_CASE("tied embeddings of a config that does not say, by its class") {
    for (const char* name : {"llama-3.1-70b", "mistral-7b-v0.1", "mixtral-8x7b", "qwen2.5-7b", "qwen3-8b",
                             "deepseek-v3", "phi-2", "phi-3-mini-4k", "glm-4-9b-chat", "gpt-neox-20b", "gpt-oss-20b"}) {
        INFO(name);
        CHECK_FALSE(without(name, {"tie_word_embeddings"}).tied_embeddings);
        CHECK(changed(name, {{"tie_word_embeddings", "true"}}).tied_embeddings);
    }
    for (const char* name : {"falcon-7b", "gemma-2b", "gemma-2-2b", "gemma-3-1b", "gpt2", "opt-6.7b"}) {
        INFO(name);
        CHECK(without(name, {"tie_word_embeddings"}).tied_embeddings);
        CHECK_FALSE(changed(name, {{"tie_word_embeddings", "false"}}).tied_embeddings);
    }
}

TEST_CASE("key-value heads that a config leaves out") {
    // LlamaConfig: as many as heads; MistralConfig and MixtralConfig: 8; and null is as many as heads in all of them.
    CHECK(kv_heads(without("yi-34b", {"num_key_value_heads"})) == 56);
    CHECK(kv_heads(without("mistral-7b-v0.1", {"num_key_value_heads"})) == 8);
    CHECK(kv_heads(without("mixtral-8x7b", {"num_key_value_heads"})) == 8);
    CHECK(kv_heads(without("phi-2", {"num_key_value_heads"})) == 32);
    CHECK(kv_heads(changed("mistral-7b-v0.1", {{"num_key_value_heads", "null"}})) == 32);
}

TEST_CASE("heads whose width is not an even share of the hidden size") {
    // Mistral Nemo: 32 heads of 128 on a hidden size of 5120.
    const auto nemo = changed("mistral-7b-v0.1", {{"hidden_size", "5120"}, {"head_dim", "128"}});
    CHECK(number_in(nemo.groups[0].attention, "head_dim") == 128);
    const auto share = changed("mistral-7b-v0.1", {{"hidden_size", "5120"}, {"head_dim", "null"}});
    CHECK(number_in(share.groups[0].attention, "head_dim") == 160);
}

TEST_CASE("a context that YaRN stretches") {
    const auto context = [](const std::string& name, const std::string& key, const std::string& rope) {
        return changed(name, {{key, rope}}).max_context;
    };
    const std::string yarn = R"("factor": 4.0, "original_max_position_embeddings": 32768)";
    CHECK(context("qwen2.5-7b", "rope_scaling", R"({"type": "yarn", )" + yarn + "}") == 131072);
    CHECK(context("qwen2.5-7b", "rope_parameters", R"({"rope_type": "yarn", )" + yarn + "}") == 131072);
    CHECK(context("qwen2.5-7b", "rope_scaling", R"({"rope_type": "llama3", )" + yarn + "}") == 32768);
    CHECK(context("qwen2.5-7b", "rope_scaling", R"({"type": "dynamic", "factor": 2.0})") == 32768);
    // DeepSeek writes the stretched context itself: 40 x 4096.
    CHECK(context("deepseek-v3", "rope_scaling",
                  R"({"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096})") == 163840);
    CHECK(refusal("qwen2.5-7b", {{"rope_scaling", R"({"type": "yarn", "factor": "four"})"}}) ==
          place("qwen2.5-7b") + "/rope_scaling/factor: expected a number from 1e-06 to 1,000,000, got 'four'");
}

TEST_CASE("the dtype of a model that reads images may stand in its part about text") {
    CHECK(to_string(changed("qwen3-vl-8b", {}).native_dtype) == "bf16");
    CHECK(to_string(changed("qwen3-vl-8b", {{"text_config.dtype", "\"float16\""}}).native_dtype) == "fp16");
    CHECK(to_string(changed("qwen3-vl-8b", {{"dtype", "\"float32\""}}).native_dtype) == "fp32");
    CHECK(to_string(changed("devstral-small-2-24b", {}).native_dtype) == "fp8");
    const std::string awq = R"({"quant_method": "awq", "bits": 4, "group_size": 128})";
    CHECK(to_string(changed("qwen3-vl-8b", {{"text_config.quantization_config", awq}}).native_dtype) == "awq-int4");
}

TEST_CASE("whether embeddings are tied may stand beside the part about text") {
    CHECK(changed("gemma-3-4b", {}).tied_embeddings);
    CHECK_FALSE(changed("gemma-3-4b", {{"tie_word_embeddings", "false"}}).tied_embeddings);
    CHECK(changed("gemma-3-4b", {{"tie_word_embeddings", "false"}, {"text_config.tie_word_embeddings", "true"}})
              .tied_embeddings);
}

TEST_CASE("text that no family knows") {
    const std::string message = refusal("gemma-3-4b", {{"text_config.model_type", "\"gemma3_txt\""}});
    CHECK(message.starts_with(place("gemma-3-4b") +
                              "/text_config/model_type: unknown model_type of text 'gemma3_txt'; did you mean"));
    CHECK(refusal("gemma-3-4b", {{"text_config.model_type", "\"qwen3_vl\""}})
              .starts_with(place("gemma-3-4b") + "/text_config/model_type: "));
    CHECK(refusal("gemma-3-4b", {{"text_config.hidden_size", "null"}}) ==
          place("gemma-3-4b") + "/text_config: the field 'hidden_size' is missing");
    CHECK(refusal("gemma-3-4b", {{"text_config.num_kv_shared_layers", "20"}}) ==
          place("gemma-3-4b") +
              "/text_config/num_kv_shared_layers: changes the layers in a way that is not known of model_type "
              "'gemma3_text'");
    CHECK(refusal("llama-3.1-70b", {{"text_config", R"({"hidden_size": 64})"}}) ==
          place("llama-3.1-70b") + "/text_config: changes the layers in a way that is not known of model_type 'llama'");
}

TEST_CASE("modules that predict further tokens") {
    CHECK(changed("deepseek-v3", {}).prediction_layers == 1);
    CHECK(changed("deepseek-v3", {{"num_nextn_predict_layers", "null"}}).prediction_layers == 0);
    CHECK(changed("glm-4.7", {{"num_nextn_predict_layers", "1"}}).prediction_layers == 1);
    CHECK(refusal("deepseek-v3", {{"num_nextn_predict_layers", "1000"}}) ==
          place("deepseek-v3") + "/num_nextn_predict_layers: expected a whole number from 0 to 100, got 1000");
}

TEST_CASE("a draft model that calls itself by the type of its target is refused") {
    CHECK(refusal("llama-3.1-70b", {{"num_hidden_layers", "1"}, {"draft_vocab_size", "32000"}}) ==
          place("llama-3.1-70b") +
              "/draft_vocab_size: changes the layers in a way that is not known of model_type 'llama'");
}

// Of 48 layers every fourth has no rotation and attends fully (configuration_llama4.py, no_rope_layer_interval).
TEST_CASE("layers of Llama 4") {
    const auto scout = changed("llama-4-scout", {});
    REQUIRE(scout.groups.size() == 2);
    CHECK(scout.groups[0].layers == 36);
    CHECK(number_in(scout.groups[0].attention, "window") == 8192);
    CHECK(scout.groups[1].layers == 12);
    CHECK_FALSE(scout.groups[1].attention.has("window"));
    CHECK(changed("llama-4-scout", {{"text_config.no_rope_layers", "[]"}}).groups[0].layers == 36);
    CHECK(refusal("llama-4-scout", {{"text_config.no_rope_layers", "[1, 0]"}}) ==
          place("llama-4-scout") + "/text_config/no_rope_layers: lists fewer layers than there are");
    // Maverick mixes every other layer: 36 chunked layers of which 24 mix with 12 of the full ones.
    const auto every_other = changed("llama-4-scout", {{"text_config.interleave_moe_layer_step", "2"}});
    int mixed = 0;
    for (const auto& group : every_other.groups)
        if (group.ffn.string("kind") == "moe") mixed += group.layers;
    CHECK(mixed == 24);
}

TEST_CASE("quantizations as tools write them") {
    CHECK(quantized(R"({"quant_method": "awq", "w_bit": 4, "q_group_size": 128, "zero_point": true})") == "awq-int4");
    CHECK(quantized(R"({"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": null})") == "fp8");
    CHECK(quantized(R"({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0})") == "fp8");
    CHECK(quantized(R"({"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["lm_head"]})") == "fp8");
    const auto compressed = [](const std::string& format, const std::string& weights) {
        return R"({"quant_method": "compressed-tensors", "format": ")" + format +
               R"(", "config_groups": {"group_0": {"targets": ["Linear"], "weights": )" + weights + "}}}";
    };
    CHECK(quantized(compressed("float-quantized", R"({"num_bits": 8, "strategy": "channel"})")) == "fp8");
    CHECK(quantized(compressed("float-quantized", R"({"strategy": "block", "block_structure": [128, 128]})")) ==
          "fp8-block");
    CHECK(quantized(compressed("nvfp4-pack-quantized", R"({"num_bits": 4, "group_size": 16})")) == "nvfp4");
    CHECK(
        refused_quantization(compressed("float-quantized", R"({"strategy": "block", "block_structure": [1, 128]})")) ==
        "/config_groups/group_0/weights/block_structure: blocks of 128 x 128 weights are known");
    CHECK(refused_quantization(compressed("pack-quantized", R"({"num_bits": 4, "group_size": 32})")) ==
          "/config_groups/group_0/weights/group_size: groups of 128 weights are known, not 32");
    CHECK(refused_quantization(compressed("mixed-precision", "{}")) ==
          "/format: unknown format of compressed-tensors 'mixed-precision'; known: float-quantized, int-quantized, "
          "naive-quantized, nvfp4-pack-quantized, pack-quantized");
    CHECK(refused_quantization(R"({"quant_method": "gptq", "bits": 4, "group_size": -1})") ==
          "/group_size: groups of 128 weights are known, not -1");
    CHECK(refused_quantization(R"({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"})") ==
          "/quant_algo: unknown quant_algo of modelopt 'W4A8_AWQ'; known: FP8, NVFP4");
    // MLX keeps its own form under the same name.
    CHECK(refused_quantization(R"({"group_size": 64, "bits": 4})") == ": the field 'quant_method' is missing");
    CHECK(refused_quantization(R"("fp8")") == ": expected an object, got 'fp8'");
}
