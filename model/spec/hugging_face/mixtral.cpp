#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields and defaults: transformers models/mixtral/configuration_mixtral.py.
ConfigModel read_mixtral(const HuggingFaceConfig& config) {
    ConfigModel model = common_model(config);
    set_attention(model, common_heads(config, model.hidden, {.kv_heads = 8}), config.size_if("sliding_window"));
    const MoeFields mixture{.experts = config.size_or("num_local_experts", 8),
                            .top_k = config.size_or("num_experts_per_tok", 2),
                            .intermediate = config.size("intermediate_size")};
    set_mixture(model, config, mixture);
    return model;
}

}  // namespace

void register_mixtral(Registry<HuggingFaceFamily>& registry) {
    registry.add("mixtral", {read_mixtral});
}

}  // namespace plimsoll
