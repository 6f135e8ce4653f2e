#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "model/base/error.hpp"
#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

constexpr Range count{1, HuggingFaceConfig::most_of_anything};

/// Fields of other families that say that a layer is not what it would be without them.
constexpr std::array structural = {
    "layer_types",
    "layers_block_type",
    "sliding_window_pattern",
    "attn_layer_period",
    "num_local_experts",
    "num_experts",
    "n_routed_experts",
    "moe_num_experts",
    "n_shared_experts",
    "moe_intermediate_size",
    "kv_lora_rank",
    "q_lora_rank",
    "cross_attention_layers",
    "ssm_state_size",
    "state_size",
    "linear_num_value_heads",
    "num_kv_shared_layers",
    "hidden_size_per_layer_input",
    "text_config",
    "moe_layer_freq",
    // Of draft models of the EAGLE kind, which call themselves by the type of the model that they draft for.
    "draft_vocab_size",
};

/// Where models that read images keep what they say of text.
constexpr std::array text_parts = {"text_config", "llm_config", "language_config"};

/// What any family's layers do where nothing else is said, and what later releases of transformers write out.
bool all_attend_fully(const Fields& fields) {
    const std::vector<std::string> types = fields.strings("layer_types");
    return std::all_of(types.begin(), types.end(), [](const std::string& type) { return type == "full_attention"; });
}

}  // namespace

struct HuggingFaceConfig::Record {
    std::set<std::string, std::less<>> asked;
    std::vector<std::string> assumed, notes;
};

HuggingFaceConfig::HuggingFaceConfig(Fields fields)
    : HuggingFaceConfig(std::move(fields), std::make_shared<Record>()) {}

HuggingFaceConfig::HuggingFaceConfig(Fields fields, std::shared_ptr<Record> record)
    : fields_(std::move(fields)), record_(std::move(record)) {}

bool HuggingFaceConfig::has(std::string_view key) const {
    record_->asked.emplace(key);
    return fields_.has(key) && !fields_.is_null(key);
}

int HuggingFaceConfig::size(std::string_view key, double most) const {
    return size({key}, most);
}

int HuggingFaceConfig::size(std::initializer_list<std::string_view> keys, double most) const {
    for (const std::string_view key : keys)
        if (has(key)) return static_cast<int>(fields_.integer(key, {1, most}));
    std::string names;
    for (const std::string_view key : keys) names += (names.empty() ? "" : " or ") + in_quotes(key);
    fields_.fail("", "the field " + names + " is missing");
}

std::optional<int> HuggingFaceConfig::size_if(std::string_view key) const {
    return has(key) ? std::optional(static_cast<int>(fields_.integer(key, count))) : std::nullopt;
}

std::optional<double> HuggingFaceConfig::factor_if(std::string_view key) const {
    return has(key) ? std::optional(fields_.number(key, {1e-6, 1e6})) : std::nullopt;
}

std::vector<int> HuggingFaceConfig::sizes(std::string_view key) const {
    record_->asked.emplace(key);
    std::vector<int> result;
    for (const std::int64_t value : fields_.integers(key, {0, count.most})) result.push_back(static_cast<int>(value));
    return result;
}

int HuggingFaceConfig::size_or(std::string_view key, int fallback) const {
    if (const auto value = size_if(key)) return *value;
    assume(key, std::to_string(fallback));
    return fallback;
}

std::optional<int> HuggingFaceConfig::size_or_none(std::string_view key, int fallback) const {
    return fields_.has(key) ? size_if(key) : size_or(key, fallback);
}

int HuggingFaceConfig::count_or(std::string_view key, int fallback, double most) const {
    if (has(key)) return static_cast<int>(fields_.integer(key, {0, most}));
    assume(key, std::to_string(fallback));
    return fallback;
}

bool HuggingFaceConfig::flag_or(std::string_view key, bool fallback) const {
    if (has(key)) return fields_.boolean(key);
    assume(key, fallback ? "true" : "false");
    return fallback;
}

std::string HuggingFaceConfig::text_or(std::string_view key, std::string_view fallback) const {
    return has(key) ? fields_.string(key) : std::string(fallback);
}

std::vector<std::string> HuggingFaceConfig::texts(std::string_view key) const {
    record_->asked.emplace(key);
    return fields_.strings(key);
}

HuggingFaceConfig HuggingFaceConfig::part(std::string_view key) const {
    record_->asked.emplace(key);
    return {fields_.object(key), record_};
}

std::optional<HuggingFaceConfig> HuggingFaceConfig::text_part() const {
    constexpr const char* tied = "tie_word_embeddings";
    for (const char* key : text_parts) {
        if (!has(key)) continue;
        const Fields text = fields_.object(key);
        if (text.has(tied) || !has(tied)) return HuggingFaceConfig(text, record_);
        const std::string shared = fmt::format(R"({{"{}": {}}})", tied, fields_.json(tied));
        return HuggingFaceConfig(text.overlaid_with(Fields::from_text(shared, fields_.place())), record_);
    }
    return std::nullopt;
}

void HuggingFaceConfig::expect(std::string_view key, bool value, std::string_view why) const {
    if (has(key) && fields_.boolean(key) != value)
        fail(key, fmt::format("{}; {} is not", why, value ? "false" : "true"));
}

void HuggingFaceConfig::expect(std::string_view key, int value, std::string_view why) const {
    if (!has(key)) return;
    const std::int64_t found = fields_.integer(key, {-1e9, 1e9});
    if (found != value) fail(key, fmt::format("{}, not {}", why, found));
}

void HuggingFaceConfig::refuse_unknown_structure(std::string_view model_type) const {
    for (const char* key : structural) {
        if (record_->asked.contains(key) || !has(key)) continue;
        if (fields_.is_number(key) && fields_.number(key, {-1e9, 1e9}) <= 0) continue;
        if (std::string_view(key) == "layer_types" && all_attend_fully(fields_)) continue;
        fail(key, fmt::format("changes the layers in a way that is not known of model_type '{}'", model_type));
    }
}

void HuggingFaceConfig::fail(std::string_view key, const std::string& message) const {
    fields_.fail(key, message);
}

void HuggingFaceConfig::note(std::string sentence) const {
    record_->notes.push_back(std::move(sentence));
}

void HuggingFaceConfig::assume(std::string_view key, const std::string& value) const {
    std::string sentence = fmt::format("{} {}", key, value);
    auto& assumed = record_->assumed;
    if (std::find(assumed.begin(), assumed.end(), sentence) == assumed.end()) assumed.push_back(std::move(sentence));
}

std::string HuggingFaceConfig::remarks() const {
    std::string text;
    for (const std::string& sentence : record_->notes) text += "; " + sentence;
    if (record_->assumed.empty()) return text;
    text += "; absent in it, so the defaults of transformers: ";
    for (const std::string& assumed : record_->assumed)
        text += (&assumed == &record_->assumed.front() ? "" : ", ") + assumed;
    return text;
}

}  // namespace plimsoll
