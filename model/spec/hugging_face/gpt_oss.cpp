#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/gpt_oss/configuration_gpt_oss.py; biases of router and experts and a sink a
/// head: modeling_gpt_oss.py.
ConfigModel read_gpt_oss(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    GqaFields attention = common_heads(config, model.hidden, {.kv_heads = 8, .head_dim = 64});
    attention.qkv_bias = attention.output_bias = config.flag_or("attention_bias", true);
    attention.sinks = true;
    set_windowed_attention(model, config, attention, config.size_or_none("sliding_window", 128),
                           [](const HuggingFaceConfig&, int layer) { return layer % 2 == 0; });
    const MoeFields mixture{.experts = config.size({"num_local_experts", "num_experts"}),
                            .top_k = config.size({"num_experts_per_tok", "experts_per_token"}),
                            .intermediate = config.size("intermediate_size"),
                            .bias = true};
    set_mixture(model, config, mixture);
    return model;
}

}  // namespace

void register_gpt_oss(Registry<HuggingFaceFamily>& registry) {
    registry.add("gpt_oss", {read_gpt_oss});
}

}  // namespace plimsoll
