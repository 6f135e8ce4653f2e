#pragma once
#include <cstdint>

namespace plimsoll {

/// How the numbers of weights and caches are stored.
enum class NumberType { fp32, fp16, bf16, int8 };

/// Bytes of one. Not inline: each copy of the kernels keeps its own.
[[maybe_unused]] static constexpr std::int64_t number_bytes(NumberType type) {
    return type == NumberType::fp32 ? 4 : type == NumberType::int8 ? 1 : 2;
}

/// One thread's columns, [first, last), of y[m, n] = x[m, k] W[k, n].
struct ProductShare {
    NumberType type;
    const void* weights;  ///< [n, k] of `type`: each output's in a row
    const float* input;   ///< [m, k]
    float* output;        ///< [n, m]: each column of y in a row
    std::int64_t m, k, first, last;
};

/// What the tasks of an attention have in common.
struct AttentionOperands {
    NumberType type;
    const void *keys, *values;  ///< of `type`, rows of `head_dim` numbers
    const float* query;         ///< rows of `head_dim` numbers
    float* output;              ///< likewise
    std::int64_t head_dim;
    float scale;  ///< of scores
};

/// Query rows that share keys.
struct AttentionTask {
    std::int64_t first_row, rows;  ///< of the queries and of the output
    std::int64_t first_key;        ///< row of the keys and of the values
    std::int64_t visible;          ///< keys that the first row looks at
    std::int64_t further;          ///< how many more each row looks at than the one before
};

/// The inner loops of the processor's benches as compiled for one instruction set. Behind these pointers lies code that
/// only some processors run, so that nothing but plain data crosses them.
struct VectorKernels {
    const char* library;  ///< behind the products, with its version
    void (*multiply)(const ProductShare& share);
    /// Softmax of the scaled scores of each row times the values, for the tasks [first, last).
    void (*attend)(const AttentionOperands& operands, const AttentionTask* first, const AttentionTask* last);
    float (*sum)(const float* numbers, std::int64_t count);
    /// a / sqrt(mean(a^2) + epsilon).
    void (*rms_norm)(const float* a, std::int64_t count, float epsilon, float* result);
    /// SiLU(a) * b.
    void (*silu_mul)(const float* a, const float* b, std::int64_t count, float* result);
};

}  // namespace plimsoll
