#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/{gemma,gemma2,gemma3}/configuration_*.py; four norms a layer and the norms
/// of queries and keys: modeling_gemma3.py.
ConfigModel read(const HuggingFaceConfig& config, const CommonDefaults& common, bool qk_norm,
                 bool (*slides)(const HuggingFaceConfig& config, int layer)) {
    ConfigModel model = common_model(config, common);
    model.norms_per_layer = 4;
    GqaFields attention = common_heads(config, model.hidden, {.heads = 8, .kv_heads = 4, .head_dim = 256});
    attention.qkv_bias = attention.output_bias = config.flag_or("attention_bias", false);
    attention.qk_norm = qk_norm;
    set_windowed_attention(model, config, attention, config.size_or_none("sliding_window", 4096), slides);
    set_ffn(model, config.size("intermediate_size"));
    return model;
}

/// Local and global layers in turn.
bool every_other(const HuggingFaceConfig&, int layer) {
    return layer % 2 == 0;
}

/// One layer in so many is global, the last of each run.
bool all_but_one_of_a_run(const HuggingFaceConfig& config, int layer) {
    const bool hidden = config.has("_sliding_window_pattern");
    return (layer + 1) % config.size_or(hidden ? "_sliding_window_pattern" : "sliding_window_pattern", 6) != 0;
}

ConfigModel read_first(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config, {.tied_embeddings = true});
    GqaFields attention = common_heads(config, model.hidden, {.heads = 16, .kv_heads = 16, .head_dim = 256});
    attention.qkv_bias = attention.output_bias = config.flag_or("attention_bias", false);
    set_attention(model, attention);
    set_ffn(model, config.size("intermediate_size"));
    return model;
}

ConfigModel read_second(const HuggingFaceConfig& config) {
    return read(config, {.tied_embeddings = true}, false, every_other);
}

ConfigModel read_third(const HuggingFaceConfig& config) {
    return read(config, {.tied_embeddings = true, .vocabulary = 262208, .max_context = 131072}, true,
                all_but_one_of_a_run);
}

}  // namespace

void register_gemma(Registry<HuggingFaceFamily>& registry) {
    registry.add("gemma", {read_first});
    registry.add("gemma2", {read_second});
    registry.add("gemma3_text", {read_third});
}

}  // namespace plimsoll
