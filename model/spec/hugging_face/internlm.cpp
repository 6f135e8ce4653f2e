#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// InternLM 1 and 2 have one field for the biases of the attention, version 3 one for those of queries, keys and values
/// and one for all others. Fields: configuration_internlm.py, configuration_internlm2.py and configuration_internlm3.py
/// of the checkpoints; what they do: LMDeploy lmdeploy/pytorch/models/internlm{,2,3}.py.
ConfigModel read(const HuggingFaceConfig& config, bool qkv_bias, bool output_bias, bool ffn_bias) {
    ConfigModel model = common_model(config);
    GqaFields attention = common_heads(config, model.hidden);
    attention.qkv_bias = qkv_bias;
    attention.output_bias = output_bias;
    set_attention(model, attention);
    set_ffn(model, config.size("intermediate_size"), true, ffn_bias);
    return model;
}

ConfigModel read_early(const HuggingFaceConfig& config) {
    const bool bias = config.flag_or("bias", true);
    return read(config, bias, bias, false);
}

ConfigModel read_third(const HuggingFaceConfig& config) {
    const bool bias = config.flag_or("bias", false);
    return read(config, config.flag_or("qkv_bias", false), bias, bias);
}

}  // namespace

void register_internlm(Registry<HuggingFaceFamily>& registry) {
    registry.add("internlm", {read_early});
    registry.add("internlm2", {read_early});
    registry.add("internlm3", {read_third});
}

}  // namespace plimsoll
