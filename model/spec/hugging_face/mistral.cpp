#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/{mistral,ministral3}/configuration_*.py. The window, where there is one, is
/// that of all layers; Ministral 3 has none unless the file says so.
ConfigModel read(const HuggingFaceConfig& config, std::optional<int> window) {
    ConfigModel model = common_model(config);
    const GqaFields attention = common_heads(config, model.hidden, {.kv_heads = 8});
    set_windowed_attention(model, config, attention, window, [](const HuggingFaceConfig&, int) { return true; });
    set_ffn(model, config.size("intermediate_size"));
    return model;
}

ConfigModel read_mistral(const HuggingFaceConfig& config) {
    return read(config, config.size_or_none("sliding_window", 4096));
}

ConfigModel read_third(const HuggingFaceConfig& config) {
    return read(config, config.size_if("sliding_window"));
}

}  // namespace

void register_mistral(Registry<HuggingFaceFamily>& registry) {
    registry.add("mistral", {read_mistral});
    registry.add("ministral3", {read_third});
}

}  // namespace plimsoll
