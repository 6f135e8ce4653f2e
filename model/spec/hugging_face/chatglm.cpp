#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// ChatGLM2 and 3 and the first GLM-4. Fields and defaults: vLLM transformers_utils/configs/chatglm.py, from the
/// configuration_chatglm.py of the checkpoints. The first ChatGLM has none of them.
ConfigModel read_chatglm(const HuggingFaceConfig& config) {
    ConfigModel model;
    model.hidden = config.size("hidden_size", config.most_hidden);
    model.layers = config.size({"num_layers", "num_hidden_layers"}, config.most_layers);
    model.vocabulary = config.size("padded_vocab_size");
    model.max_context = config.size("seq_length", config.most_context);
    model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
    config.expect("rmsnorm", true, "ChatGLM is known with norms without biases");
    config.expect("post_layer_norm", true, "ChatGLM is known with a norm after the last layer");
    GqaFields attention;
    attention.heads = config.size("num_attention_heads");
    attention.kv_heads =
        config.flag_or("multi_query_attention", false) ? config.size_or("multi_query_group_num", 1) : attention.heads;
    check_groups(config, "multi_query_group_num", attention);
    attention.head_dim = config.size("kv_channels");
    const bool bias = config.flag_or("add_bias_linear", false);
    attention.qkv_bias = bias || config.flag_or("add_qkv_bias", false);
    attention.output_bias = bias;
    set_attention(model, attention);
    set_ffn(model, config.size("ffn_hidden_size"), true, bias);
    return model;
}

}  // namespace

void register_chatglm(Registry<HuggingFaceFamily>& registry) {
    registry.add("chatglm", {read_chatglm});
}

}  // namespace plimsoll
