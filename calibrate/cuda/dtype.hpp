#pragma once
#include <cstddef>
#include <string>

namespace plimsoll::cuda {

enum class Dtype { fp16, bf16, fp8, int8, int32, fp32 };

/// "fp16", "bf16", "fp8" (e4m3), "int8"; throws std::runtime_error, which says what is known, for any other.
[[nodiscard]] Dtype dtype_of(const std::string& name);
[[nodiscard]] std::size_t size_of(Dtype dtype);

}  // namespace plimsoll::cuda
