#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "model/base/error.hpp"
#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

std::string attention_json(const GqaFields& fields, std::optional<int> window) {
    std::string text = fmt::format(
        R"({{"kind": "gqa", "heads": {}, "kv_heads": {}, "head_dim": {}, "qkv_bias": {}, "output_bias": {}, "qk_norm": {})",
        fields.heads, fields.kv_heads, fields.head_dim, fields.qkv_bias, fields.output_bias, fields.qk_norm);
    if (fields.sinks) text += R"(, "sinks": true)";
    if (window) text += fmt::format(R"(, "window": {})", *window);
    return text + "}";
}

/// A window that the context never fills hides nothing.
std::optional<int> effective(std::optional<int> window, const ConfigModel& model) {
    return window && *window < model.max_context ? window : std::nullopt;
}

/// Whether each layer slides, from `layer_types`.
std::vector<bool> listed_windows(const ConfigModel& model, const HuggingFaceConfig& config) {
    const std::vector<std::string> types = config.texts("layer_types");
    if (static_cast<int>(types.size()) != model.layers)
        config.fail("layer_types", fmt::format("lists {} of {} layers", types.size(), model.layers));
    std::vector<bool> result;
    for (const std::string& type : types) {
        if (type != "full_attention" && type != "sliding_attention" && type != "chunked_attention")
            config.fail("layer_types", unknown_name("kind of layer", type,
                                                    {"chunked_attention", "full_attention", "sliding_attention"}));
        result.push_back(type != "full_attention");
    }
    return result;
}

/// The context that YaRN stretches the original one to, where it exceeds max_position_embeddings, as in the files of
/// Qwen2.5 that are made by its model card: vLLM config, _get_and_verify_max_len.
int stretched(const HuggingFaceConfig& config, int context) {
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
        if (!config.has(key)) continue;
        const HuggingFaceConfig rope = config.part(key);
        const auto original = rope.size_if("original_max_position_embeddings");
        const auto factor = rope.factor_if("factor");
        const bool yarn = rope.text_or("rope_type", rope.text_or("type", "")) == "yarn";
        if (!yarn || !original || !factor || *original * *factor <= context) continue;
        if (*original * *factor > HuggingFaceConfig::most_context)
            rope.fail("factor", fmt::format("stretches the context beyond {} tokens", HuggingFaceConfig::most_context));
        config.note(fmt::format("the context is {} tokens, stretched by YaRN", std::lround(*original * *factor)));
        return static_cast<int>(std::lround(*original * *factor));
    }
    return context;
}

}  // namespace

int even_head_dim(const HuggingFaceConfig& config, std::string_view key, int heads, int hidden) {
    if (hidden % heads != 0)
        config.fail(key, fmt::format("{} heads do not divide the hidden size of {}", heads, hidden));
    return hidden / heads;
}

ConfigModel common_model(const HuggingFaceConfig& config, const CommonDefaults& defaults) {
    ConfigModel model;
    model.hidden = config.size("hidden_size", config.most_hidden);
    model.layers = config.size("num_hidden_layers", config.most_layers);
    model.vocabulary =
        defaults.vocabulary ? config.size_or("vocab_size", *defaults.vocabulary) : config.size("vocab_size");
    model.max_context = defaults.max_context ? config.size_or("max_position_embeddings", *defaults.max_context)
                                             : config.size("max_position_embeddings", config.most_context);
    model.max_context = stretched(config, model.max_context);
    model.tied_embeddings = config.flag_or("tie_word_embeddings", defaults.tied_embeddings);
    return model;
}

void check_groups(const HuggingFaceConfig& config, std::string_view key, const GqaFields& fields) {
    if (fields.heads % fields.kv_heads != 0)
        config.fail(key, fmt::format("{} key-value heads do not divide {} heads", fields.kv_heads, fields.heads));
}

GqaFields common_heads(const HuggingFaceConfig& config, int hidden, const HeadDefaults& defaults) {
    GqaFields fields;
    fields.heads =
        defaults.heads ? config.size_or("num_attention_heads", *defaults.heads) : config.size("num_attention_heads");
    fields.kv_heads =
        config.size_or_none("num_key_value_heads", defaults.kv_heads.value_or(fields.heads)).value_or(fields.heads);
    check_groups(config, "num_key_value_heads", fields);
    const auto given =
        defaults.head_dim ? config.size_or_none("head_dim", *defaults.head_dim) : config.size_if("head_dim");
    fields.head_dim = given ? *given : even_head_dim(config, "num_attention_heads", fields.heads, hidden);
    return fields;
}

void set_attention(ConfigModel& model, const GqaFields& attention, std::optional<int> window) {
    model.attention.assign(static_cast<std::size_t>(model.layers), attention_json(attention, effective(window, model)));
}

void set_windowed_attention(ConfigModel& model, const HuggingFaceConfig& config, const GqaFields& attention,
                            std::optional<int> window, bool (*slides)(const HuggingFaceConfig& config, int layer)) {
    const std::vector<bool> listed = config.has("layer_types") ? listed_windows(model, config) : std::vector<bool>{};
    const std::string all = attention_json(attention, std::nullopt);
    const std::string last = attention_json(attention, effective(window, model));
    for (int layer = 0; layer < model.layers; ++layer) {
        const bool slid = listed.empty() ? window && slides(config, layer) : listed[static_cast<std::size_t>(layer)];
        if (slid && !window) config.fail("sliding_window", "layers slide, but the width of their window is missing");
        model.attention.push_back(slid ? last : all);
    }
}

std::string gated_ffn(int intermediate, bool bias) {
    return fmt::format(R"({{"kind": "gated", "intermediate": {}, "bias": {}}})", intermediate, bias);
}

void set_ffn(ConfigModel& model, int intermediate, bool gated, bool bias) {
    const std::string text =
        gated ? gated_ffn(intermediate, bias)
              : fmt::format(R"({{"kind": "dense", "intermediate": {}, "bias": {}}})", intermediate, bias);
    model.ffn.assign(static_cast<std::size_t>(model.layers), text);
}

void check_mixture(const HuggingFaceConfig& config, const MoeFields& fields) {
    if (fields.top_k > fields.experts)
        config.fail("num_experts_per_tok", fmt::format("{} experts a token, of {}", fields.top_k, fields.experts));
}

void set_mixture(ConfigModel& model, const HuggingFaceConfig& config, const MoeFields& fields) {
    check_mixture(config, fields);
    model.ffn.assign(static_cast<std::size_t>(model.layers), mixture_ffn(fields));
}

std::string mixture_ffn(const MoeFields& fields) {
    std::string text = fmt::format(R"({{"kind": "moe", "experts": {}, "top_k": {}, "intermediate": {})", fields.experts,
                                   fields.top_k, fields.intermediate);
    if (fields.shared_intermediate > 0)
        text += fmt::format(R"(, "shared_intermediate": {})", fields.shared_intermediate);
    if (fields.reached_groups < fields.groups)
        text += fmt::format(R"(, "expert_groups": {}, "reached_groups": {})", fields.groups, fields.reached_groups);
    if (fields.shared_gate) text += R"(, "shared_gate": true)";
    if (fields.gate_bias) text += R"(, "gate_bias": true)";
    if (fields.bias) text += R"(, "bias": true)";
    return text + "}";
}

MoeFields routed_mixture(const HuggingFaceConfig& config) {
    MoeFields mixture{.experts = config.size("n_routed_experts"),
                      .top_k = config.size("num_experts_per_tok"),
                      .intermediate = config.size("moe_intermediate_size")};
    const std::int64_t shared = std::int64_t{mixture.intermediate} * config.count_or("n_shared_experts", 0);
    if (shared > static_cast<std::int64_t>(config.most_of_anything))
        config.fail("n_shared_experts", "the shared experts together are wider than any that are known");
    mixture.shared_intermediate = static_cast<int>(shared);
    // Without groups any expert may be reached.
    if (config.text_or("topk_method", "noaux_tc") != "greedy") {
        mixture.groups = config.size_if("n_group").value_or(1);
        mixture.reached_groups = config.size_if("topk_group").value_or(mixture.groups);
    }
    return mixture;
}

void set_dense_then_mixture(ConfigModel& model, const HuggingFaceConfig& config, const MoeFields& fields,
                            int dense_by_default) {
    check_mixture(config, fields);
    const int dense = config.count_or("first_k_dense_replace", dense_by_default);
    for (int layer = 0; layer < model.layers; ++layer)
        model.ffn.push_back(layer < dense ? gated_ffn(config.size("intermediate_size")) : mixture_ffn(fields));
    model.prediction_layers = config.count_or("num_nextn_predict_layers", 0, 100);
}

}  // namespace plimsoll
