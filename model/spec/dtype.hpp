#pragma once
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace plimsoll {

/// How a weight, an activation or a KV value is stored. Sizes of the 4-bit forms include scales and zero points.
enum class Dtype { fp32, fp16, bf16, fp8, int8, awq_int4, gptq_int4 };
inline constexpr std::size_t dtype_count = 7;
inline constexpr std::array<std::string_view, dtype_count> dtype_names{"fp32", "fp16",     "bf16",     "fp8",
                                                                       "int8", "awq-int4", "gptq-int4"};

[[nodiscard]] constexpr std::string_view to_string(Dtype dtype) {
    return dtype_names[static_cast<std::size_t>(dtype)];
}
/// Throws InputError at `place` for an unknown name.
[[nodiscard]] Dtype parse_dtype(std::string_view name, const std::string& place);

/// Bytes a value. AWQ and GPTQ with groups of 128: 4 bits, a 16-bit scale and a 4-bit zero a group (4.156 bits).
[[nodiscard]] constexpr double bytes_per_value(Dtype dtype) {
    constexpr std::array<double, dtype_count> bytes{4, 2, 2, 1, 1, 4.15625 / 8, 4.15625 / 8};
    return bytes[static_cast<std::size_t>(dtype)];
}

/// The type that the matrix units multiply for weights of this type: 4-bit weights are expanded to fp16 first.
[[nodiscard]] constexpr Dtype arithmetic_dtype(Dtype weights) {
    return weights == Dtype::awq_int4 || weights == Dtype::gptq_int4 ? Dtype::fp16 : weights;
}

/// The type of activations and of the tensors that stay unquantized (norms, embedding, LM head).
[[nodiscard]] constexpr Dtype activation_dtype(Dtype weights) {
    return weights == Dtype::fp32 || weights == Dtype::bf16 ? weights : Dtype::fp16;
}

[[nodiscard]] constexpr bool is_four_bit(Dtype dtype) {
    return arithmetic_dtype(dtype) != dtype;
}

}  // namespace plimsoll
