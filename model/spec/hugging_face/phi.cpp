#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/{phi,phi3}/configuration_*.py; the biases of Phi, which stand in every
/// product and in the head, and its one norm a layer: modeling_phi.py; Phi-3 has none: modeling_phi3.py.
ConfigModel read_first(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    config.expect("qk_layernorm", false, "Phi is known without norms of queries and keys");
    model.norms_per_layer = 1;
    model.norm_biases = model.head_bias = true;
    GqaFields attention = common_heads(config, model.hidden);
    attention.qkv_bias = attention.output_bias = true;
    set_attention(model, attention);
    set_ffn(model, config.size("intermediate_size"), false, true);
    return model;
}

ConfigModel read_third(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    set_attention(model, common_heads(config, model.hidden), config.size_if("sliding_window"));
    set_ffn(model, config.size("intermediate_size"));
    return model;
}

}  // namespace

void register_phi(Registry<HuggingFaceFamily>& registry) {
    registry.add("phi", {read_first});
    registry.add("phi3", {read_third});
}

}  // namespace plimsoll
