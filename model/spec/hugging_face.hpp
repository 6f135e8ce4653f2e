#pragma once
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/fields.hpp"
#include "model/base/registry.hpp"
#include "model/spec/dtype.hpp"

namespace plimsoll {

/// Whether a file is a config.json as Hugging Face's transformers write it, and not one of our own.
[[nodiscard]] bool is_hugging_face_config(const Fields& fields);
/// The model that such a config describes as an entry of our own format, with its sources. Throws InputError at the
/// field of the config that is missing, wrong or not understood, and for a `model_type` that no family knows.
[[nodiscard]] Fields entry_of_config(const Fields& config);

/// A config.json. Unlike our own files it is read leniently: most of its fields (tokens, dropout, initialisation) are
/// about neither shapes nor cost, and every release of transformers adds some, so what nobody asks for is ignored,
/// unless it is known to change the structure. A null counts as absent. Copies share what was asked and assumed.
class HuggingFaceConfig {
  public:
    /// What our own format takes at most of layers, of the hidden size, of a context, and of anything else.
    static constexpr double most_layers = 1e4, most_hidden = 1e6, most_context = 1e9, most_of_anything = 1e7;

    explicit HuggingFaceConfig(Fields fields);

    [[nodiscard]] bool has(std::string_view key) const;
    /// A count above zero.
    [[nodiscard]] int size(std::string_view key, double most = most_of_anything) const;
    /// The same under the first of several names that is there.
    [[nodiscard]] int size(std::initializer_list<std::string_view> keys, double most = most_of_anything) const;
    [[nodiscard]] std::optional<int> size_if(std::string_view key) const;
    [[nodiscard]] std::optional<double> factor_if(std::string_view key) const;  ///< a number above zero
    /// `fallback` is what transformers take where the field is absent; it is noted as assumed.
    [[nodiscard]] int size_or(std::string_view key, int fallback) const;
    /// The same where a null means that there is none.
    [[nodiscard]] std::optional<int> size_or_none(std::string_view key, int fallback) const;
    /// Zero is fine.
    [[nodiscard]] int count_or(std::string_view key, int fallback, double most = most_of_anything) const;
    [[nodiscard]] bool flag_or(std::string_view key, bool fallback) const;
    [[nodiscard]] std::string text_or(std::string_view key, std::string_view fallback) const;
    [[nodiscard]] std::vector<int> sizes(std::string_view key) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;
    /// A part of the config; the fields of the whole that it does not have itself are not looked for.
    [[nodiscard]] HuggingFaceConfig part(std::string_view key) const;
    /// The part about text of a model that reads images too, with what the whole says of both (tied embeddings).
    [[nodiscard]] std::optional<HuggingFaceConfig> text_part() const;
    /// Refuses a field that is there with another value, for `why`.
    void expect(std::string_view key, bool value, std::string_view why) const;
    void expect(std::string_view key, int value, std::string_view why) const;
    /// Refuses fields that are known to change the structure and that the family has not asked for.
    void refuse_unknown_structure(std::string_view model_type) const;
    [[noreturn]] void fail(std::string_view key, const std::string& message) const;

    /// Says in the sources of the model what is not as the config has it.
    void note(std::string sentence) const;
    /// The notes, and which fields were taken from the defaults of transformers.
    [[nodiscard]] std::string remarks() const;

  private:
    struct Record;
    HuggingFaceConfig(Fields fields, std::shared_ptr<Record> record);
    void assume(std::string_view key, const std::string& value) const;
    Fields fields_;
    std::shared_ptr<Record> record_;
};

/// What a family makes of a config: blocks as JSON text of our own format, one a layer.
struct ConfigModel {
    int layers = 0;
    int hidden = 0;
    int vocabulary = 0;
    int max_context = 0;  ///< tokens
    bool tied_embeddings = false;
    int norms_per_layer = 2;
    bool norm_biases = false;
    bool head_bias = false;
    int learned_positions = 0;
    int prediction_layers = 0;           ///< modules that predict further tokens
    std::vector<std::string> attention;  ///< [layers]
    std::vector<std::string> ffn;        ///< [layers]
};

/// What a family's file of model/spec/hugging_face registers under each `model_type`.
struct HuggingFaceFamily {
    ConfigModel (*read)(const HuggingFaceConfig& config) = nullptr;
};

/// All of them, by `model_type`.
[[nodiscard]] const Registry<HuggingFaceFamily>& hugging_face_families();

/// Fields of an attention block of kind gqa.
struct GqaFields {
    int heads = 0;
    int kv_heads = 0;
    int head_dim = 0;
    bool qkv_bias = false;
    bool output_bias = false;
    bool qk_norm = false;
    bool sinks = false;
};

/// Fields of an FFN block of kind moe.
struct MoeFields {
    int experts = 0;
    int top_k = 0;
    int intermediate = 0;
    int shared_intermediate = 0;
    int groups = 1, reached_groups = 1;  ///< of experts, and those that a token may reach
    bool shared_gate = false;
    bool gate_bias = false;
    bool bias = false;
};

/// What the configuration class of a family takes where a field is absent; without a default the field is required.
struct CommonDefaults {
    bool tied_embeddings = false;
    std::optional<int> vocabulary = std::nullopt;
    std::optional<int> max_context = std::nullopt;
};
struct HeadDefaults {
    std::optional<int> heads = std::nullopt;
    std::optional<int> kv_heads = std::nullopt;  ///< without one, as many as heads
    std::optional<int> head_dim = std::nullopt;  ///< without one, an even share of the hidden size
};

/// The fields that most families name alike: hidden_size, num_hidden_layers, vocab_size, max_position_embeddings and
/// tie_word_embeddings. Blocks are left empty.
[[nodiscard]] ConfigModel common_model(const HuggingFaceConfig& config, const CommonDefaults& defaults = {});
/// num_attention_heads, num_key_value_heads and head_dim, with the checks between them.
[[nodiscard]] GqaFields common_heads(const HuggingFaceConfig& config, int hidden, const HeadDefaults& defaults = {});
/// Refuses, at `key`, key-value heads that do not divide the heads.
void check_groups(const HuggingFaceConfig& config, std::string_view key, const GqaFields& fields);
/// `hidden` shared evenly by the heads that `key` counts.
[[nodiscard]] int even_head_dim(const HuggingFaceConfig& config, std::string_view key, int heads, int hidden);

/// The same attention in all layers, over the last `window` tokens where one is given that the context can exceed.
void set_attention(ConfigModel& model, const GqaFields& attention, std::optional<int> window = std::nullopt);
/// Attention by `layer_types`, or where these are absent over the window in the layers that `slides` names (from 0).
void set_windowed_attention(ConfigModel& model, const HuggingFaceConfig& config, const GqaFields& attention,
                            std::optional<int> window, bool (*slides)(const HuggingFaceConfig& config, int layer));
/// The same FFN in all layers; `gated` has three matrices, else two.
void set_ffn(ConfigModel& model, int intermediate, bool gated = true, bool bias = false);
[[nodiscard]] std::string gated_ffn(int intermediate, bool bias = false);
/// Refuses more experts a token than there are.
void check_mixture(const HuggingFaceConfig& config, const MoeFields& fields);
/// The same mixture of experts in all layers.
void set_mixture(ConfigModel& model, const HuggingFaceConfig& config, const MoeFields& fields);
[[nodiscard]] std::string mixture_ffn(const MoeFields& fields);
/// DeepSeek's names of a mixture, which other families have taken over: n_routed_experts, n_shared_experts, n_group.
[[nodiscard]] MoeFields routed_mixture(const HuggingFaceConfig& config);
/// Dense layers first, as many as first_k_dense_replace says, then the mixture; and num_nextn_predict_layers.
void set_dense_then_mixture(ConfigModel& model, const HuggingFaceConfig& config, const MoeFields& fields,
                            int dense_by_default);

/// The dtype of the weights: that of `quantization_config`, else `dtype` or `torch_dtype`, of the whole or of its part
/// about text; without any, fp16. Throws InputError at a quantization that is none of our dtypes.
[[nodiscard]] Dtype dtype_of(const HuggingFaceConfig& config);

}  // namespace plimsoll
