#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/gpt_neox/configuration_gpt_neox.py; the biases: modeling_gpt_neox.py.
/// Whether the attention and the FFN stand side by side changes neither parameters nor work.
ConfigModel read_gpt_neox(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    model.norm_biases = true;
    GqaFields attention = common_heads(config, model.hidden);
    attention.qkv_bias = attention.output_bias = config.flag_or("attention_bias", true);
    set_attention(model, attention);
    set_ffn(model, config.size("intermediate_size"), false, true);
    return model;
}

}  // namespace

void register_gpt_neox(Registry<HuggingFaceFamily>& registry) {
    registry.add("gpt_neox", {read_gpt_neox});
}

}  // namespace plimsoll
