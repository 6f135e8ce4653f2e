#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/opt/configuration_opt.py; the two rows that its table of learned positions
/// has beyond the context: modeling_opt.py.
ConfigModel read_opt(const HuggingFaceConfig& config) {
    constexpr int rows_beyond = 2;
    ConfigModel model;
    model.hidden = config.size({"hidden_size", "d_model"}, config.most_hidden);
    model.layers = config.size("num_hidden_layers", config.most_layers);
    model.vocabulary = config.size("vocab_size");
    model.max_context = config.size("max_position_embeddings", config.most_context);
    model.learned_positions = model.max_context + rows_beyond;
    model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
    model.norm_biases = true;
    config.expect("word_embed_proj_dim", model.hidden, "OPT is known with embeddings as wide as its layers");
    config.expect("do_layer_norm_before", true, "OPT is known with norms before the blocks");
    config.expect("_remove_final_layer_norm", false, "OPT is known with a norm after the last layer");
    config.expect("layer_norm_elementwise_affine", true, "OPT is known with norms that have weights");
    GqaFields attention;
    attention.heads = attention.kv_heads = config.size("num_attention_heads");
    attention.head_dim = even_head_dim(config, "num_attention_heads", attention.heads, model.hidden);
    const bool bias = config.flag_or("enable_bias", true);
    attention.qkv_bias = attention.output_bias = bias;
    set_attention(model, attention);
    set_ffn(model, config.size("ffn_dim"), false, bias);
    return model;
}

}  // namespace

void register_opt(Registry<HuggingFaceFamily>& registry) {
    registry.add("opt", {read_opt});
}

}  // namespace plimsoll
