#include "model/spec/hugging_face.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include <fmt/format.h>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// All of them, as a user whose model is not among them wants to know what is.
[[noreturn]] void refuse_type(const HuggingFaceConfig& config, const std::string& type) {
    std::vector<std::string> known = hugging_face_families().names();
    std::sort(known.begin(), known.end());
    const std::string nearest = nearest_name(type, known);
    std::string message = "unknown model_type " + in_quotes(type);
    message += nearest.empty() ? "; known: " : "; did you mean '" + nearest + "'? known: ";
    for (const std::string& name : known) message += (name == known.front() ? "" : ", ") + name;
    config.fail("model_type", message);
}

/// A config.json is called by the folder it lies in, as checkpoints are; another file by its own name.
std::string name_of(const std::string& file) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path path = fs::absolute(file, error).lexically_normal();
    const bool plain = path.filename() == "config.json";
    std::string name = (plain ? path.parent_path().filename() : path.stem()).string();
    for (char& c : name) {
        const auto byte = static_cast<unsigned char>(c);
        c = std::isalnum(byte) != 0 && byte < 0x80U ? static_cast<char>(std::tolower(byte)) : c == '.' ? '.' : '-';
    }
    return name.empty() ? "config" : name;
}

/// Runs of equal layers wherever they stand, in order of the first of each kind.
struct LayerKind {
    int layers;
    const std::string *attention, *ffn;
};
std::vector<LayerKind> layer_kinds(const ConfigModel& model) {
    std::vector<LayerKind> kinds;
    for (std::size_t i = 0; i < model.attention.size(); ++i) {
        const auto same = std::find_if(kinds.begin(), kinds.end(), [&](const LayerKind& kind) {
            return *kind.attention == model.attention[i] && *kind.ffn == model.ffn[i];
        });
        if (same != kinds.end())
            ++same->layers;
        else
            kinds.push_back({1, &model.attention[i], &model.ffn[i]});
    }
    return kinds;
}

/// JSON text of a string.
std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') result += '\\';
        result += byte < 0x20U ? fmt::format("\\u{:04x}", byte) : std::string(1, c);
    }
    return result + "\"";
}

std::string groups_json(const std::vector<LayerKind>& kinds) {
    std::string text = "[";
    for (const LayerKind& kind : kinds) {
        text += fmt::format("{}{{\"layers\": {}", &kind == &kinds.front() ? "" : ", ", kind.layers);
        if (*kind.attention != *kinds.back().attention) text += ", \"attention\": " + *kind.attention;
        if (*kind.ffn != *kinds.back().ffn) text += ", \"ffn\": " + *kind.ffn;
        text += "}";
    }
    return text + "]";
}

std::string entry_json(const ConfigModel& model, const std::string& name, Dtype dtype, const std::string& source) {
    const std::vector<LayerKind> kinds = layer_kinds(model);
    std::string text = fmt::format(
        R"({{"schema": "plimsoll/model/1", "name": "{}", "layers": {}, "hidden": {}, "vocabulary": {}, "max_context": {},)"
        R"( "tied_embeddings": {}, "norms_per_layer": {})",
        name, model.layers, model.hidden, model.vocabulary, model.max_context, model.tied_embeddings,
        model.norms_per_layer);
    if (model.norm_biases) text += R"(, "norm_biases": true)";
    if (model.head_bias) text += R"(, "head_bias": true)";
    if (model.learned_positions > 0) text += fmt::format(R"(, "learned_positions": {})", model.learned_positions);
    if (model.prediction_layers > 0) text += fmt::format(R"(, "prediction_layers": {})", model.prediction_layers);
    text += fmt::format(R"(, "native_dtype": "{}", "attention": {}, "ffn": {})", to_string(dtype),
                        *kinds.back().attention, *kinds.back().ffn);
    if (kinds.size() > 1) text += ", \"groups\": " + groups_json(kinds);
    return text + ", \"sources\": {\"*\": " + quoted(source) + "}}";
}

}  // namespace

bool is_hugging_face_config(const Fields& fields) {
    return !fields.has("schema") && fields.has("model_type");
}

Fields entry_of_config(const Fields& fields) {
    const HuggingFaceConfig config(fields);
    const std::string type = config.text_or("model_type", "");
    const HuggingFaceFamily* family = hugging_face_families().find(type);
    if (family == nullptr) refuse_type(config, type);
    config.expect("is_encoder_decoder", false, "only models without an encoder are known");
    const ConfigModel model = family->read(config);
    PLIMSOLL_ASSERT(model.layers >= 1 && static_cast<int>(model.attention.size()) == model.layers &&
                    static_cast<int>(model.ffn.size()) == model.layers);
    config.refuse_unknown_structure(type);
    const Dtype dtype = dtype_of(config);
    const std::string file = fields.place();
    return Fields::from_text(
        entry_json(model, name_of(file), dtype, "Hugging Face config (" + type + ") " + file + config.remarks()), file);
}

}  // namespace plimsoll
