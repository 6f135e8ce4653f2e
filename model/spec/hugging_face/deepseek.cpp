#include <fmt/format.h>

#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/{deepseek_v2,deepseek_v3}/configuration_*.py; the bias by which version 3
/// evens out its experts (topk_method noaux_tc): modeling_deepseek_v3.py. Kimi K2 and GLM-4.7-Flash
/// (glm4_moe_lite) have the same form.
std::string latent_attention(const HuggingFaceConfig& config) {
    config.expect("attention_bias", false, "latent attention is known without biases");
    std::string text = fmt::format(R"({{"kind": "mla", "heads": {})", config.size("num_attention_heads"));
    if (const auto rank = config.size_if("q_lora_rank")) text += fmt::format(R"(, "q_lora_rank": {})", *rank);
    for (const char* key : {"kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"})
        text += fmt::format(R"(, "{}": {})", key, config.size(key));
    return text + "}";
}

ConfigModel read(const HuggingFaceConfig& config, const MoeFields& mixture, int dense_by_default) {
    ConfigModel model = common_model(config);
    config.expect("moe_layer_freq", 1, "experts in every layer after the first dense ones are known");
    model.attention.assign(static_cast<std::size_t>(model.layers), latent_attention(config));
    set_dense_then_mixture(model, config, mixture, dense_by_default);
    return model;
}

ConfigModel read_second(const HuggingFaceConfig& config) {
    return read(config, routed_mixture(config), 0);
}

ConfigModel read_third(const HuggingFaceConfig& config) {
    MoeFields mixture = routed_mixture(config);
    mixture.gate_bias = config.text_or("topk_method", "noaux_tc") == "noaux_tc";
    return read(config, mixture, 3);
}

ConfigModel read_lite(const HuggingFaceConfig& config) {
    MoeFields mixture = routed_mixture(config);
    mixture.gate_bias = true;
    return read(config, mixture, 1);
}

}  // namespace

void register_deepseek(Registry<HuggingFaceFamily>& registry) {
    registry.add("deepseek_v2", {read_second});
    registry.add("deepseek_v3", {read_third});
    registry.add("kimi_k2", {read_third});
    registry.add("glm4_moe_lite", {read_lite});
}

}  // namespace plimsoll
