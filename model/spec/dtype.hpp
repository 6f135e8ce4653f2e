#pragma once
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace plimsoll {

/// How a weight, an activation or a KV value is stored.
enum class Dtype {
    fp32,
    fp16,
    bf16,
    fp8,
    int8,
    awq_int4,
    gptq_int4,
    fp8_block,
    mxfp4,
    nvfp4,
    q8_0,
    q6_k,
    q5_k_m,
    q4_k_m
};

/// What a dtype is; sizes of the grouped forms include scales and zero points.
struct DtypeFacts {
    std::string_view name;
    double bits = 0;
    Dtype arithmetic;        ///< what the matrix units multiply
    Dtype activation;        ///< of activations and of the tensors that stay unquantized (norms, embedding, LM head)
    bool expanded = false;   ///< each weight is turned into the arithmetic type before it is used
    bool eight_bit = false;  ///< activations are quantized to eight bits before each product
};

/// AWQ and GPTQ with groups of 128: 4 bits, a 16-bit scale and a 4-bit zero a group. fp8-block: a 32-bit scale for
/// 128 x 128 weights. mxfp4: an 8-bit scale for 32 weights (OCP Microscaling Formats 1.0); nvfp4: one for 16. q8_0 and
/// q6_k: blocks of ggml; q5_k_m and q4_k_m mix types, so that the mean of the file of an 8B model stands for them
/// (llama.cpp tools/quantize/README.md).
inline constexpr std::array<DtypeFacts, 14> dtype_facts{{
    {"fp32", 32, Dtype::fp32, Dtype::fp32},
    {"fp16", 16, Dtype::fp16, Dtype::fp16},
    {"bf16", 16, Dtype::bf16, Dtype::bf16},
    {"fp8", 8, Dtype::fp8, Dtype::fp16, false, true},
    {"int8", 8, Dtype::int8, Dtype::fp16, false, true},
    {"awq-int4", 4.15625, Dtype::fp16, Dtype::fp16, true},
    {"gptq-int4", 4.15625, Dtype::fp16, Dtype::fp16, true},
    {"fp8-block", 8 + 32.0 / 16384, Dtype::fp8, Dtype::bf16, false, true},
    {"mxfp4", 4.25, Dtype::bf16, Dtype::bf16, true},
    {"nvfp4", 4.5, Dtype::bf16, Dtype::bf16, true},
    {"q8-0", 8.5, Dtype::fp16, Dtype::fp16, true},
    {"q6-k", 6.5625, Dtype::fp16, Dtype::fp16, true},
    {"q5-k-m", 5.704, Dtype::fp16, Dtype::fp16, true},
    {"q4-k-m", 4.894, Dtype::fp16, Dtype::fp16, true},
}};
inline constexpr std::size_t dtype_count = dtype_facts.size();
inline constexpr std::array<std::string_view, dtype_count> dtype_names = [] {
    std::array<std::string_view, dtype_count> names;
    for (std::size_t i = 0; i < dtype_count; ++i) names[i] = dtype_facts[i].name;
    return names;
}();
[[nodiscard]] constexpr const DtypeFacts& facts_of(Dtype dtype) {
    return dtype_facts[static_cast<std::size_t>(dtype)];
}

[[nodiscard]] constexpr std::string_view to_string(Dtype dtype) {
    return facts_of(dtype).name;
}
/// Throws InputError at `place` for an unknown name.
[[nodiscard]] Dtype parse_dtype(std::string_view name, const std::string& place);

/// Bytes a value.
[[nodiscard]] constexpr double bytes_per_value(Dtype dtype) {
    return facts_of(dtype).bits / 8.0;
}
/// The type that the matrix units multiply for weights of this type.
[[nodiscard]] constexpr Dtype arithmetic_dtype(Dtype weights) {
    return facts_of(weights).arithmetic;
}
/// The type of activations and of the tensors that stay unquantized.
[[nodiscard]] constexpr Dtype activation_dtype(Dtype weights) {
    return facts_of(weights).activation;
}
/// The type of matrices outside of a mixture's experts: mxfp4 stores the experts alone, as its models are published.
[[nodiscard]] constexpr Dtype matrix_dtype(Dtype weights) {
    return weights == Dtype::mxfp4 ? Dtype::bf16 : weights;
}
[[nodiscard]] constexpr bool is_expanded(Dtype weights) {
    return facts_of(weights).expanded;
}

}  // namespace plimsoll
