#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// The first generation: configuration_qwen.py of the checkpoints; vLLM model_executor/models/qwen.py for the biases
/// (of queries, keys and values alone) and for `intermediate_size`, which counts both halves of the gated product.
ConfigModel read_qwen(const HuggingFaceConfig& config) {
    ConfigModel model;
    model.hidden = config.size("hidden_size", config.most_hidden);
    model.layers = config.size("num_hidden_layers", config.most_layers);
    model.vocabulary = config.size("vocab_size");
    model.max_context = config.size({"max_position_embeddings", "seq_length"}, config.most_context);
    model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
    config.expect("no_bias", true,
                  "only products without biases, but for those of queries, keys and values, are known");
    GqaFields attention;
    attention.heads = attention.kv_heads = config.size("num_attention_heads");
    const auto given = config.size_if("kv_channels");
    attention.head_dim = given ? *given : even_head_dim(config, "num_attention_heads", attention.heads, model.hidden);
    attention.qkv_bias = true;
    set_attention(model, attention);
    const int both = config.size("intermediate_size");
    if (both % 2 != 0) config.fail("intermediate_size", "counts both halves of the gated product, so it is even");
    set_ffn(model, both / 2);
    return model;
}

}  // namespace

void register_qwen(Registry<HuggingFaceFamily>& registry) {
    registry.add("qwen", {read_qwen});
}

}  // namespace plimsoll
