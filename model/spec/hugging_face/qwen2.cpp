#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/{qwen2,qwen3}/configuration_*.py; the biases: modeling_qwen2.py (queries,
/// keys and values) and modeling_qwen3.py (as `attention_bias` says, with norms of queries and keys).
std::optional<int> window(const HuggingFaceConfig& config) {
    return config.flag_or("use_sliding_window", false) ? config.size_or_none("sliding_window", 4096) : std::nullopt;
}

bool above_the_full_layers(const HuggingFaceConfig& config, int layer) {
    return layer >= config.count_or("max_window_layers", 28);
}

void set_blocks(ConfigModel& model, const HuggingFaceConfig& config, const GqaFields& attention) {
    // Listed in the file even where use_sliding_window switches it off.
    static_cast<void>(config.has("layer_types"));
    set_windowed_attention(model, config, attention, window(config), above_the_full_layers);
    set_ffn(model, config.size("intermediate_size"));
}

ConfigModel read_second(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    GqaFields attention = common_heads(config, model.hidden, {.kv_heads = 32});
    attention.qkv_bias = true;
    set_blocks(model, config, attention);
    return model;
}

ConfigModel read_third(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    GqaFields attention = common_heads(config, model.hidden, {.kv_heads = 32, .head_dim = 128});
    attention.qkv_bias = attention.output_bias = config.flag_or("attention_bias", false);
    attention.qk_norm = true;
    set_blocks(model, config, attention);
    return model;
}

}  // namespace

void register_qwen2(Registry<HuggingFaceFamily>& registry) {
    registry.add("qwen2", {read_second});
    registry.add("qwen2_5_vl_text", {read_second});
    registry.add("qwen3", {read_third});
    registry.add("qwen3_vl_text", {read_third});
}

}  // namespace plimsoll
