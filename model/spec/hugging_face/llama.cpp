#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/llama/configuration_llama.py; the biases: modeling_llama.py.
ConfigModel read_llama(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    GqaFields attention = common_heads(config, model.hidden);
    attention.qkv_bias = attention.output_bias = config.flag_or("attention_bias", false);
    set_attention(model, attention);
    set_ffn(model, config.size("intermediate_size"), true, config.flag_or("mlp_bias", false));
    return model;
}

}  // namespace

void register_llama(Registry<HuggingFaceFamily>& registry) {
    registry.add("llama", {read_llama});
}

}  // namespace plimsoll
