#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/mistral/configuration_mistral.py. The window, where there is one, is that
/// of all layers.
ConfigModel read_mistral(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    const GqaFields attention = common_heads(config, model.hidden, {.kv_heads = 8});
    const auto window = config.size_or_none("sliding_window", 4096);
    set_windowed_attention(model, config, attention, window, [](const HuggingFaceConfig&, int) { return true; });
    set_ffn(model, config.size("intermediate_size"));
    return model;
}

}  // namespace

void register_mistral(Registry<HuggingFaceFamily>& registry) {
    registry.add("mistral", {read_mistral});
}

}  // namespace plimsoll
