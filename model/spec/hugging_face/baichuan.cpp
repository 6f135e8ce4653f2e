#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Fields: configuration_baichuan.py of the checkpoints; the 13B call the context model_max_length. No biases, as many
/// key-value heads as heads (vLLM model_executor/models/baichuan.py).
ConfigModel read_baichuan(const HuggingFaceConfig& config) {
    ConfigModel model;
    model.hidden = config.size("hidden_size", config.most_hidden);
    model.layers = config.size("num_hidden_layers", config.most_layers);
    model.vocabulary = config.size("vocab_size");
    model.max_context = config.size({"max_position_embeddings", "model_max_length"}, config.most_context);
    model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
    set_attention(model, common_heads(config, model.hidden));
    set_ffn(model, config.size("intermediate_size"));
    return model;
}

}  // namespace

void register_baichuan(Registry<HuggingFaceFamily>& registry) {
    registry.add("baichuan", {read_baichuan});
}

}  // namespace plimsoll
