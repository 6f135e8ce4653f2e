#include <cstdint>

#include <fmt/format.h>

#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/{deepseek_v2,deepseek_v3}/configuration_*.py; the bias by which version 3
/// evens out its experts (topk_method noaux_tc): modeling_deepseek_v3.py. Kimi K2 has the same form.
std::string latent_attention(const HuggingFaceConfig& config) {
    config.expect("attention_bias", false, "latent attention is known without biases");
    std::string text = fmt::format(R"({{"kind": "mla", "heads": {})", config.size("num_attention_heads"));
    if (const auto rank = config.size_if("q_lora_rank")) text += fmt::format(R"(, "q_lora_rank": {})", *rank);
    for (const char* key : {"kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"})
        text += fmt::format(R"(, "{}": {})", key, config.size(key));
    return text + "}";
}

MoeFields experts_of(const HuggingFaceConfig& config) {
    MoeFields mixture{.experts = config.size("n_routed_experts"),
                      .top_k = config.size("num_experts_per_tok"),
                      .intermediate = config.size("moe_intermediate_size")};
    const std::int64_t shared = std::int64_t{mixture.intermediate} * config.count_or("n_shared_experts", 0);
    if (shared > static_cast<std::int64_t>(config.most_of_anything))
        config.fail("n_shared_experts", "the shared experts together are wider than any that are known");
    mixture.shared_intermediate = static_cast<int>(shared);
    // Without groups any expert may be reached.
    if (config.text_or("topk_method", "noaux_tc") != "greedy") {
        mixture.groups = config.size_if("n_group").value_or(1);
        mixture.reached_groups = config.size_if("topk_group").value_or(mixture.groups);
    }
    return mixture;
}

ConfigModel read(const HuggingFaceConfig& config, const MoeFields& mixture, int dense_by_default) {
    ConfigModel model = common_model(config);
    config.expect("moe_layer_freq", 1, "experts in every layer after the first dense ones are known");
    model.attention.assign(static_cast<std::size_t>(model.layers), latent_attention(config));
    check_mixture(config, mixture);
    const int dense = config.count_or("first_k_dense_replace", dense_by_default);
    for (int layer = 0; layer < model.layers; ++layer)
        model.ffn.push_back(layer < dense ? gated_ffn(config.size("intermediate_size")) : mixture_ffn(mixture));
    if (config.count_or("num_nextn_predict_layers", 0) > 0)
        config.note("the module that predicts a further token (num_nextn_predict_layers) is left out");
    return model;
}

ConfigModel read_second(const HuggingFaceConfig& config) {
    return read(config, experts_of(config), 0);
}

ConfigModel read_third(const HuggingFaceConfig& config) {
    MoeFields mixture = experts_of(config);
    mixture.gate_bias = config.text_or("topk_method", "noaux_tc") == "noaux_tc";
    return read(config, mixture, 3);
}

}  // namespace

void register_deepseek(Registry<HuggingFaceFamily>& registry) {
    registry.add("deepseek_v2", {read_second});
    registry.add("deepseek_v3", {read_third});
    registry.add("kimi_k2", {read_third});
}

}  // namespace plimsoll
