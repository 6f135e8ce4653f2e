#include <algorithm>

#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/{qwen2_moe,qwen3_moe}/configuration_*.py; which layers have experts, and
/// the gate of the shared one: modeling_qwen2_moe.py.
void set_ffns(ConfigModel& model, const HuggingFaceConfig& config, const MoeFields& mixture) {
    const std::vector<int> plain = config.has("mlp_only_layers") ? config.sizes("mlp_only_layers") : std::vector<int>{};
    const int every = config.size_or("decoder_sparse_step", 1);
    check_mixture(config, mixture);
    const std::string experts = mixture_ffn(mixture);
    for (int layer = 0; layer < model.layers; ++layer) {
        const bool dense = (layer + 1) % every != 0 || std::count(plain.begin(), plain.end(), layer) > 0;
        model.ffn.push_back(dense ? gated_ffn(config.size("intermediate_size")) : experts);
    }
}

MoeFields experts_of(const HuggingFaceConfig& config) {
    return {.experts = config.size({"num_experts", "num_local_experts"}),
            .top_k = config.size("num_experts_per_tok"),
            .intermediate = config.size("moe_intermediate_size")};
}

ConfigModel read_second(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    GqaFields attention = common_heads(config, model.hidden, {.kv_heads = 16});
    attention.qkv_bias = config.flag_or("qkv_bias", true);
    const bool slides = config.flag_or("use_sliding_window", false);
    const auto window = slides ? config.size_or_none("sliding_window", 4096) : std::nullopt;
    set_windowed_attention(model, config, attention, window, [](const HuggingFaceConfig& from, int layer) {
        return layer % 2 == 0 && layer < from.count_or("max_window_layers", 28);
    });
    MoeFields mixture = experts_of(config);
    mixture.shared_intermediate = config.size("shared_expert_intermediate_size");
    mixture.shared_gate = true;
    set_ffns(model, config, mixture);
    return model;
}

ConfigModel read_third(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    GqaFields attention = common_heads(config, model.hidden, {.kv_heads = 4});
    attention.qkv_bias = attention.output_bias = config.flag_or("attention_bias", false);
    attention.qk_norm = true;
    const bool slides = config.flag_or("use_sliding_window", false);
    set_attention(model, attention, slides ? config.size_or_none("sliding_window", 4096) : std::nullopt);
    set_ffns(model, config, experts_of(config));
    return model;
}

}  // namespace

void register_qwen_moe(Registry<HuggingFaceFamily>& registry) {
    registry.add("qwen2_moe", {read_second});
    registry.add("qwen3_moe", {read_third});
    registry.add("qwen3_vl_moe_text", {read_third});
}

}  // namespace plimsoll
