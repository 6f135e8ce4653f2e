#include "model/spec/hugging_face.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include <fmt/format.h>

#include "model/base/error.hpp"
#include "model/spec/dtype.hpp"

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

Dtype unquantized_dtype(const HuggingFaceConfig& config) {
    // Transformers write `dtype` since version 4.56, `torch_dtype` before.
    for (const char* key : {"dtype", "torch_dtype"}) {
        if (!config.has(key)) continue;
        const std::string name = config.text_or(key, "");
        if (name == "float16") return Dtype::fp16;
        if (name == "bfloat16") return Dtype::bf16;
        if (name == "float32") return Dtype::fp32;
        config.fail(key, unknown_name("dtype", name, {"bfloat16", "float16", "float32"}));
    }
    // vLLM --dtype auto (docs.vllm.ai, engine arguments): fp16 for checkpoints of fp32, which no dtype means.
    config.note("the file names no dtype: fp16, as vLLM loads such a checkpoint");
    return Dtype::fp16;
}

/// Four-bit integers in groups of 128, which is what our AWQ and GPTQ dtypes are.
Dtype grouped_int4(const HuggingFaceConfig& quantization, Dtype dtype) {
    quantization.expect("bits", 4, "weights of 4 bits are known");
    quantization.expect("w_bit", 4, "weights of 4 bits are known");
    quantization.expect("group_size", 128, "groups of 128 weights are known");
    quantization.expect("q_group_size", 128, "groups of 128 weights are known");
    return dtype;
}

Dtype fp8_dtype(const HuggingFaceConfig& quantization) {
    if (!quantization.has("weight_block_size")) return Dtype::fp8;
    const std::vector<int> block = quantization.sizes("weight_block_size");
    if (block != std::vector<int>{128, 128})
        quantization.fail("weight_block_size", "blocks of 128 x 128 weights are known");
    return Dtype::fp8_block;
}

Dtype compressed_dtype(const HuggingFaceConfig& quantization) {
    const std::string format = quantization.text_or("format", "");
    if (format == "float-quantized" || format == "naive-quantized") return Dtype::fp8;
    if (format == "int-quantized") return Dtype::int8;
    if (format == "nvfp4-pack-quantized") return Dtype::nvfp4;
    // Four-bit integers with a scale for 128 of them, as GPTQ stores them; the groups say so.
    if (format == "pack-quantized") {
        const HuggingFaceConfig weights = quantization.part("config_groups").part("group_0").part("weights");
        weights.expect("num_bits", 4, "packed weights of 4 bits are known");
        weights.expect("group_size", 128, "groups of 128 weights are known");
        return Dtype::gptq_int4;
    }
    quantization.fail("format", unknown_name("format of compressed-tensors", format,
                                             {"float-quantized", "int-quantized", "naive-quantized",
                                              "nvfp4-pack-quantized", "pack-quantized"}));
}

Dtype modelopt_dtype(const HuggingFaceConfig& quantization) {
    const std::string algorithm = quantization.text_or("quant_algo", "");
    if (algorithm == "FP8") return Dtype::fp8;
    if (algorithm == "NVFP4") return Dtype::nvfp4;
    quantization.fail("quant_algo", unknown_name("quant_algo of modelopt", algorithm, {"FP8", "NVFP4"}));
}

Dtype dtype_of(const HuggingFaceConfig& config) {
    if (!config.has("quantization_config")) return unquantized_dtype(config);
    const HuggingFaceConfig quantization = config.part("quantization_config");
    const std::string method = quantization.text_or("quant_method", "");
    if (method == "fp8") return fp8_dtype(quantization);
    if (method == "fbgemm_fp8") return Dtype::fp8;
    if (method == "awq") return grouped_int4(quantization, Dtype::awq_int4);
    if (method == "gptq") return grouped_int4(quantization, Dtype::gptq_int4);
    if (method == "mxfp4") return Dtype::mxfp4;
    if (method == "compressed-tensors") return compressed_dtype(quantization);
    if (method == "modelopt") return modelopt_dtype(quantization);
    quantization.fail("quant_method",
                      unknown_name("quantization", method,
                                   {"awq", "compressed-tensors", "fbgemm_fp8", "fp8", "gptq", "modelopt", "mxfp4"}));
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
    const Dtype dtype = dtype_of(config);
    config.refuse_unknown_structure(type);
    const std::string file = fields.place();
    return Fields::from_text(
        entry_json(model, name_of(file), dtype, "Hugging Face config (" + type + ") " + file + config.remarks()), file);
}

}  // namespace plimsoll
