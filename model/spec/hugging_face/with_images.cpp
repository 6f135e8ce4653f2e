#include <algorithm>
#include <array>

#include "model/base/error.hpp"
#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// A model that reads images too, and the family of its text where its part about text does not name one.
struct WithImages {
    const char *type, *text_type;
};
constexpr std::array known = {
    WithImages{"gemma3", "gemma3_text"},
    WithImages{"kimi_k25", "kimi_k2"},
    WithImages{"llama4", "llama4_text"},
    WithImages{"mistral3", "mistral"},
    WithImages{"qwen2_5_vl", "qwen2_5_vl_text"},
    WithImages{"qwen3_vl", "qwen3_vl_text"},
    WithImages{"qwen3_vl_moe", "qwen3_vl_moe_text"},
};

/// The text stands in a part of its own, or in files of before version 4.52 of transformers beside that of the images.
ConfigModel read_text(const HuggingFaceConfig& config) {
    const std::string type = config.text_or("model_type", "");
    const auto* const whole =
        std::find_if(known.begin(), known.end(), [&](const WithImages& entry) { return type == entry.type; });
    PLIMSOLL_ASSERT(whole != known.end());
    if (config.has("vision_config")) config.note("the part that reads images is left out");
    const std::optional<HuggingFaceConfig> text = config.text_part();
    const std::string text_type = text ? text->text_or("model_type", whole->text_type) : whole->text_type;
    const HuggingFaceFamily* family = hugging_face_families().find(text_type);
    if (text && (family == nullptr || family->read == read_text))
        text->fail("model_type", unknown_name("model_type of text", text_type, hugging_face_families().names()));
    const ConfigModel model = family->read(text ? *text : config);
    if (text) text->refuse_unknown_structure(text_type);
    return model;
}

}  // namespace

void register_with_images(Registry<HuggingFaceFamily>& registry) {
    for (const WithImages& entry : known) registry.add(entry.type, {read_text});
}

}  // namespace plimsoll
