#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/{glm,glm4,glm4_moe}/configuration_*.py; biases of queries, keys and values
/// alone, and four norms a layer in GLM-4-0414: modeling_glm.py and modeling_glm4.py; the bias by which GLM-4.5 and
/// later even out their experts: modeling_glm4_moe.py.
ConfigModel read(const HuggingFaceConfig& config, int norms) {
    ConfigModel model = common_model(config);
    model.norms_per_layer = norms;
    GqaFields attention = common_heads(config, model.hidden, {.kv_heads = 2, .head_dim = 128});
    attention.qkv_bias = config.flag_or("attention_bias", true);
    set_attention(model, attention);
    set_ffn(model, config.size("intermediate_size"));
    return model;
}

ConfigModel read_glm(const HuggingFaceConfig& config) {
    return read(config, 2);
}

ConfigModel read_glm4(const HuggingFaceConfig& config) {
    return read(config, 4);
}

ConfigModel read_mixture(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    GqaFields attention = common_heads(config, model.hidden, {.kv_heads = 8});
    attention.qkv_bias = config.flag_or("attention_bias", false);
    attention.qk_norm = config.flag_or("use_qk_norm", false);
    set_attention(model, attention);
    MoeFields mixture = routed_mixture(config);
    mixture.gate_bias = true;
    set_dense_then_mixture(model, config, mixture, 1);
    return model;
}

}  // namespace

void register_glm(Registry<HuggingFaceFamily>& registry) {
    registry.add("glm", {read_glm});
    registry.add("glm4", {read_glm4});
    registry.add("glm4_moe", {read_mixture});
}

}  // namespace plimsoll
