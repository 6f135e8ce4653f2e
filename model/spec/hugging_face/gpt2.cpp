#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/gpt2/configuration_gpt2.py; biases everywhere but in the head, a table of
/// learned positions: modeling_gpt2.py.
ConfigModel read_gpt2(const HuggingFaceConfig& config) {
    ConfigModel model;
    model.hidden = config.size({"n_embd", "hidden_size"}, config.most_hidden);
    model.layers = config.size({"n_layer", "num_hidden_layers"}, config.most_layers);
    model.vocabulary = config.size("vocab_size");
    model.max_context = model.learned_positions =
        config.size({"n_positions", "max_position_embeddings"}, config.most_context);
    model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
    model.norm_biases = true;
    config.expect("add_cross_attention", false, "only models without an encoder are known");
    GqaFields attention;
    attention.heads = attention.kv_heads = config.size({"n_head", "num_attention_heads"});
    attention.head_dim = even_head_dim(config, "n_head", attention.heads, model.hidden);
    attention.qkv_bias = attention.output_bias = true;
    set_attention(model, attention);
    set_ffn(model, config.size_or_none("n_inner", 4 * model.hidden).value_or(4 * model.hidden), false, true);
    return model;
}

}  // namespace

void register_gpt2(Registry<HuggingFaceFamily>& registry) {
    registry.add("gpt2", {read_gpt2});
}

}  // namespace plimsoll
