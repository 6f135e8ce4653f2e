#include "model/base/error.hpp"
#include "model/spec/hugging_face.hpp"

namespace plimsoll {
namespace {

/// Transformers write `dtype` since version 4.56, `torch_dtype` before.
std::optional<Dtype> named_dtype(const HuggingFaceConfig& config) {
    for (const char* key : {"dtype", "torch_dtype"}) {
        if (!config.has(key)) continue;
        const std::string name = config.text_or(key, "");
        if (name == "float16") return Dtype::fp16;
        if (name == "bfloat16") return Dtype::bf16;
        if (name == "float32") return Dtype::fp32;
        config.fail(key, unknown_name("dtype", name, {"bfloat16", "float16", "float32"}));
    }
    return std::nullopt;
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

/// What the first group of compressed-tensors says of its weights; files of several groups differ in what they leave
/// out.
HuggingFaceConfig group_weights(const HuggingFaceConfig& quantization) {
    return quantization.part("config_groups").part("group_0").part("weights");
}

bool in_blocks(const HuggingFaceConfig& quantization) {
    if (!quantization.has("config_groups")) return false;
    const HuggingFaceConfig weights = group_weights(quantization);
    if (weights.text_or("strategy", "") != "block") return false;
    if (weights.sizes("block_structure") != std::vector<int>{128, 128})
        weights.fail("block_structure", "blocks of 128 x 128 weights are known");
    return true;
}

Dtype compressed_dtype(const HuggingFaceConfig& quantization) {
    const std::string format = quantization.text_or("format", "");
    if (format == "float-quantized" && in_blocks(quantization)) return Dtype::fp8_block;
    if (format == "float-quantized" || format == "naive-quantized") return Dtype::fp8;
    if (format == "int-quantized") return Dtype::int8;
    if (format == "nvfp4-pack-quantized") return Dtype::nvfp4;
    // Four-bit integers with a scale for 128 of them, as GPTQ stores them; the groups say so.
    if (format == "pack-quantized") {
        const HuggingFaceConfig weights = group_weights(quantization);
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

Dtype quantized_dtype(const HuggingFaceConfig& quantization) {
    if (!quantization.has("quant_method")) quantization.fail("", "the field 'quant_method' is missing");
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

}  // namespace

Dtype dtype_of(const HuggingFaceConfig& config) {
    const std::optional<HuggingFaceConfig> text = config.text_part();
    for (const HuggingFaceConfig* from : {&config, text ? &*text : nullptr})
        if (from != nullptr && from->has("quantization_config"))
            return quantized_dtype(from->part("quantization_config"));
    for (const HuggingFaceConfig* from : {&config, text ? &*text : nullptr})
        if (const auto dtype = from != nullptr ? named_dtype(*from) : std::nullopt) return *dtype;
    // vLLM --dtype auto (docs.vllm.ai, engine arguments): fp16 for checkpoints of fp32, which no dtype means.
    config.note("the file names no dtype: fp16, as vLLM loads such a checkpoint");
    return Dtype::fp16;
}

}  // namespace plimsoll
