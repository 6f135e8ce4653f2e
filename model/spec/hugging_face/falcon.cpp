#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/falcon/configuration_falcon.py; key-value heads and norms of the three
/// designs (7B: one key-value head and one norm; 40B: groups and two norms side by side; RW: norms one after the
/// other): modeling_falcon.py, vLLM model_executor/models/falcon.py. The first files of the 40B (RefinedWeb) and of the
/// 7B (RefinedWebModel) leave the design to the type: modelling_RW.py of the checkpoints.
ConfigModel read(const HuggingFaceConfig& config, bool grouped) {
    ConfigModel model;
    model.hidden = config.size({"hidden_size", "n_embed"}, config.most_hidden);
    model.layers = config.size({"num_hidden_layers", "n_layer"}, config.most_layers);
    model.vocabulary = config.size("vocab_size");
    model.max_context = config.size_or("max_position_embeddings", 2048);
    model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
    model.norm_biases = true;
    const bool parallel = config.flag_or("parallel_attn", true);
    model.norms_per_layer = !parallel || (grouped && config.size_or("num_ln_in_parallel_attn", 2) == 2) ? 2 : 1;

    GqaFields attention;
    attention.heads = config.size({"num_attention_heads", "n_head"});
    // Where there is one key-value head, num_kv_heads may be in the file all the same, as another number.
    const bool one = !grouped && config.flag_or("multi_query", true);
    const bool new_name = config.has("num_kv_heads");
    attention.kv_heads = one       ? 1
                         : grouped ? config.size_or(new_name ? "num_kv_heads" : "n_head_kv", attention.heads)
                                   : attention.heads;
    check_groups(config, new_name ? "num_kv_heads" : "n_head_kv", attention);
    attention.head_dim = even_head_dim(config, "num_attention_heads", attention.heads, model.hidden);
    const bool bias = config.flag_or("bias", false);
    attention.qkv_bias = attention.output_bias = bias;
    set_attention(model, attention);
    set_ffn(model, config.size_or("ffn_hidden_size", 4 * model.hidden), false, bias);
    return model;
}

ConfigModel read_falcon(const HuggingFaceConfig& config) {
    return read(config, config.flag_or("new_decoder_architecture", false));
}

ConfigModel read_first_grouped(const HuggingFaceConfig& config) {
    return read(config, true);
}

ConfigModel read_first_single(const HuggingFaceConfig& config) {
    return read(config, false);
}

}  // namespace

void register_falcon(Registry<HuggingFaceFamily>& registry) {
    registry.add("falcon", {read_falcon});
    registry.add("RefinedWeb", {read_first_grouped});
    registry.add("RefinedWebModel", {read_first_single});
}

}  // namespace plimsoll
