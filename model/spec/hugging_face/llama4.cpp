#include <algorithm>

#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Whether the layer turns positions, and so attends within a chunk: three of four, unless the file lists them.
bool in_chunks(const HuggingFaceConfig& config, int layer) {
    constexpr int full_every = 4;
    const std::vector<int> listed = config.has("no_rope_layers") ? config.sizes("no_rope_layers") : std::vector<int>{};
    if (listed.empty()) return (layer + 1) % full_every != 0;
    if (layer >= static_cast<int>(listed.size())) config.fail("no_rope_layers", "lists fewer layers than there are");
    return listed[static_cast<std::size_t>(layer)] != 0;
}

/// Fields and defaults: transformers models/llama4/configuration_llama4.py (Llama4TextConfig); the shared expert, as
/// wide as the others, and norms of queries and keys without weights: modeling_llama4.py.
ConfigModel read_llama4(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    GqaFields attention = common_heads(config, model.hidden, {.kv_heads = 8, .head_dim = 128});
    attention.qkv_bias = attention.output_bias = config.flag_or("attention_bias", false);
    const auto chunk = config.size_or_none("attention_chunk_size", 8192);
    if (chunk) config.note("chunks of the attention are taken as windows of the same width");
    set_windowed_attention(model, config, attention, chunk, in_chunks);

    const int width = config.size("intermediate_size");
    const MoeFields mixture{.experts = config.size("num_local_experts"),
                            .top_k = config.size("num_experts_per_tok"),
                            .intermediate = width,
                            .shared_intermediate = width};
    check_mixture(config, mixture);
    const std::vector<int> listed = config.has("moe_layers") ? config.sizes("moe_layers") : std::vector<int>{};
    const int every = listed.empty() ? config.size_or("interleave_moe_layer_step", 1) : 0;
    for (int layer = 0; layer < model.layers; ++layer) {
        const bool mixes = every > 0 ? (layer + 1) % every == 0 : std::count(listed.begin(), listed.end(), layer) > 0;
        model.ffn.push_back(mixes ? mixture_ffn(mixture) : gated_ffn(config.size("intermediate_size_mlp")));
    }
    return model;
}

}  // namespace

void register_llama4(Registry<HuggingFaceFamily>& registry) {
    registry.add("llama4_text", {read_llama4});
}

}  // namespace plimsoll
