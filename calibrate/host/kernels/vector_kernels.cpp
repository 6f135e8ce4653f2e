// Compiled once for each instruction set by cmake/instruction_sets.cmake, which names the set, and gives Eigen's
// namespace another name for each. Where two copies of an inline function bear one name, the linker keeps one of them
// for all callers, and a processor would meet instructions that it does not have. So there is nothing of the standard
// library here either but macros and functions of C.
#include "calibrate/host/kernels/vector_kernels.hpp"

#include <cmath>

#include <Eigen/Core>

namespace plimsoll {
namespace PLIMSOLL_INSTRUCTION_SET {
namespace {

using std::int64_t;
using Columns = Eigen::Map<const Eigen::MatrixXf>;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Rows = Eigen::Map<const RowMajor>;
using Numbers = Eigen::Map<const Eigen::ArrayXf>;
using Results = Eigen::Map<Eigen::ArrayXf>;

constexpr int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

const void* number(const void* numbers, NumberType type, int64_t index) {
    return static_cast<const unsigned char*>(numbers) + index * number_bytes(type);
}

struct FromBf16 {
    float operator()(std::uint16_t bits) const {
        return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16U);
    }
};

/// Exact but for infinities and what is no number, which no operand is; compilers make vectors of it.
struct FromFp16 {
    float operator()(std::uint16_t bits) const {
        constexpr float exponent_bias = 0x1p112F;  // 2^(127 - 15)
        const float value =
            __builtin_bit_cast(float, static_cast<std::uint32_t>(bits & 0x7FFFU) << 13U) * exponent_bias;
        return __builtin_bit_cast(
            float, __builtin_bit_cast(std::uint32_t, value) | static_cast<std::uint32_t>(bits & 0x8000U) << 16U);
    }
};

struct FromInt8 {
    float operator()(std::int8_t number) const { return static_cast<float>(number); }
};

template <class Narrow, class Widen>
void widen(const void* numbers, int64_t count, float* expanded, Widen one) {
    const auto* narrow = static_cast<const Narrow*>(numbers);
    for (int64_t i = 0; i < count; ++i) expanded[i] = one(narrow[i]);
}

void expand(const void* numbers, NumberType type, int64_t count, float* expanded) {
    switch (type) {
        case NumberType::fp32:
            Results(expanded, count) = Numbers(static_cast<const float*>(numbers), count);
            break;
        case NumberType::fp16:
            widen<std::uint16_t>(numbers, count, expanded, FromFp16());
            break;
        case NumberType::bf16:
            widen<std::uint16_t>(numbers, count, expanded, FromBf16());
            break;
        case NumberType::int8:
            widen<std::int8_t>(numbers, count, expanded, FromInt8());
            break;
    }
}

/// Columns of weights that are expanded to fp32 at a time: with 4096 rows half a mebibyte, which a core's cache holds.
constexpr int64_t panel = 32;

void multiply_columns(const ProductShare& share, const float* weights, int64_t first, int64_t columns) {
    const Columns factor(weights, share.k, columns);
    Eigen::Map<Eigen::MatrixXf> result(share.output + first * share.m, share.m, columns);
    if (share.m == 1)
        result.row(0).noalias() = Eigen::Map<const Eigen::VectorXf>(share.input, share.k).transpose() * factor;
    else
        result.noalias() = Rows(share.input, share.m, share.k) * factor;
}

void multiply(const ProductShare& share) {
    if (share.first >= share.last) return;
    if (share.type == NumberType::fp32) {
        multiply_columns(share, static_cast<const float*>(number(share.weights, share.type, share.first * share.k)),
                         share.first, share.last - share.first);
        return;
    }
    Eigen::ArrayXf expanded(panel * share.k);
    for (int64_t from = share.first; from < share.last; from += panel) {
        const int64_t columns = smaller(panel, share.last - from);
        expand(number(share.weights, share.type, from * share.k), share.type, columns * share.k, expanded.data());
        multiply_columns(share, expanded.data(), from, columns);
    }
}

constexpr int64_t key_block = 128;

/// The state of an online softmax over blocks of keys (M. Milakov, N. Gimelshein, arXiv 1805.02867).
struct Softmax {
    Eigen::ArrayXf keys, values;  ///< of a block, expanded
    RowMajor scores, sum;
    Eigen::ArrayXf largest, total, scale;
};

const float* expanded_rows(const void* cache, const AttentionOperands& operands, int64_t first, int64_t rows,
                           Eigen::ArrayXf& buffer) {
    const void* narrow = number(cache, operands.type, first * operands.head_dim);
    if (operands.type == NumberType::fp32) return static_cast<const float*>(narrow);
    buffer.resize(key_block * operands.head_dim);
    expand(narrow, operands.type, rows * operands.head_dim, buffer.data());
    return buffer.data();
}

void attend_block(const AttentionOperands& operands, const AttentionTask& task, int64_t from, int64_t keys,
                  Softmax& s) {
    const int64_t dim = operands.head_dim, first = task.first_key + from;
    const Rows query(operands.query + task.first_row * dim, task.rows, dim);
    const Rows key(expanded_rows(operands.keys, operands, first, keys, s.keys), keys, dim);
    const Rows value(expanded_rows(operands.values, operands, first, keys, s.values), keys, dim);
    s.scores.noalias() = query * key.transpose() * operands.scale;
    for (int64_t row = 0; row < task.rows; ++row) {
        const int64_t seen = task.visible + row * task.further - from;
        for (int64_t i = seen < 0 ? 0 : seen; i < keys; ++i) s.scores(row, i) = -INFINITY;
    }
    // Sums of earlier blocks are scaled to the largest score seen so far.
    s.scale = s.largest;
    s.largest = s.largest.max(s.scores.rowwise().maxCoeff().array());
    s.scale = (s.scale - s.largest).exp();
    s.scores = (s.scores.array().colwise() - s.largest).exp().matrix();
    s.total = s.total * s.scale + s.scores.rowwise().sum().array();
    s.sum = (s.sum.array().colwise() * s.scale).matrix();
    s.sum.noalias() += s.scores * value;
}

void attend(const AttentionOperands& operands, const AttentionTask* first, const AttentionTask* last) {
    Softmax s;
    for (; first != last; ++first) {
        const int64_t context = first->visible + (first->rows - 1) * first->further;
        s.sum.setZero(first->rows, operands.head_dim);
        s.total.setZero(first->rows);
        s.largest.setConstant(first->rows, -INFINITY);
        for (int64_t from = 0; from < context; from += key_block)
            attend_block(operands, *first, from, smaller(key_block, context - from), s);
        Eigen::Map<RowMajor> result(operands.output + first->first_row * operands.head_dim, first->rows,
                                    operands.head_dim);
        result = (s.sum.array().colwise() / s.total).matrix();
    }
}

float sum(const float* numbers, int64_t count) {
    return Numbers(numbers, count).sum();
}

void rms_norm(const float* a, int64_t count, float epsilon, float* result) {
    const Numbers numbers(a, count);
    Results(result, count) = numbers / ::sqrtf(numbers.square().mean() + epsilon);
}

void silu_mul(const float* a, const float* b, int64_t count, float* result) {
    const Numbers numbers(a, count);
    Results(result, count) = numbers / (1.0F + (-numbers).exp()) * Numbers(b, count);
}

}  // namespace

#define PLIMSOLL_TEXT_OF(value) #value
#define PLIMSOLL_TEXT(value) PLIMSOLL_TEXT_OF(value)

extern const VectorKernels kernels;
constinit const VectorKernels kernels{"eigen-" PLIMSOLL_TEXT(EIGEN_WORLD_VERSION) "." PLIMSOLL_TEXT(
                                          EIGEN_MAJOR_VERSION) "." PLIMSOLL_TEXT(EIGEN_MINOR_VERSION),
                                      expand,
                                      multiply,
                                      attend,
                                      sum,
                                      rms_norm,
                                      silu_mul};

}  // namespace PLIMSOLL_INSTRUCTION_SET
}  // namespace plimsoll
