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

/// Up to here rows are few: Eigen packs both factors, which then takes longer than the product.
constexpr int64_t few_rows = 32;

using Packet = Eigen::internal::packet_traits<float>::type;
constexpr int lanes = Eigen::internal::packet_traits<float>::size;
/// Sums that the registers hold beside the factors.
constexpr int tile_rows = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 4 : 2;
constexpr int tile_columns = 4;

template <int rows, int columns>
struct Tile {
    Packet sums[rows][columns];
    Tile() {
        for (auto& row : sums)
            for (Packet& sum : row) sum = Eigen::internal::pset1<Packet>(0.0F);
    }
};

/// Dot products of a few rows of `k` numbers with each other: y[i, j] = x[i, :] . w[j, :], y[i, j] being y[i + j step].
template <int rows, int columns>
[[gnu::noinline]] void dot_tile(const float* x, const float* w, int64_t k, float* y, int64_t step) {
    Tile<rows, columns> tile;
    int64_t l = 0;
    for (; l + lanes <= k; l += lanes) {
        Packet left[rows];
        for (int i = 0; i < rows; ++i) left[i] = Eigen::internal::ploadu<Packet>(x + i * k + l);
        for (int j = 0; j < columns; ++j) {
            const Packet right = Eigen::internal::ploadu<Packet>(w + j * k + l);
            for (int i = 0; i < rows; ++i) tile.sums[i][j] = Eigen::internal::pmadd(left[i], right, tile.sums[i][j]);
        }
    }
    for (int j = 0; j < columns; ++j)
        for (int i = 0; i < rows; ++i) {
            float sum = Eigen::internal::predux(tile.sums[i][j]);
            for (int64_t rest = l; rest < k; ++rest) sum += x[i * k + rest] * w[j * k + rest];
            y[i + j * step] = sum;
        }
}

template <int columns>
void dot_rows(const float* x, int64_t rows, const float* w, int64_t k, float* y) {
    int64_t i = 0;
    for (; i + tile_rows <= rows; i += tile_rows) dot_tile<tile_rows, columns>(x + i * k, w, k, y + i, rows);
    for (; i < rows; ++i) dot_tile<1, columns>(x + i * k, w, k, y + i, rows);
}

/// y[columns, rows], column by column, of x[rows, k] and w[columns, k].
void dots(const float* x, int64_t rows, const float* w, int64_t columns, int64_t k, float* y) {
    int64_t j = 0;
    for (; j + tile_columns <= columns; j += tile_columns) dot_rows<tile_columns>(x, rows, w + j * k, k, y + j * rows);
    for (; j < columns; ++j) dot_rows<1>(x, rows, w + j * k, k, y + j * rows);
}

void multiply_few_rows(const ProductShare& share) {
    // Weights are expanded where they are used at once, in the first cache.
    const bool wide = share.type == NumberType::fp32;
    const int64_t panel = wide ? share.last - share.first : tile_columns;
    Eigen::ArrayXf expanded(wide ? 0 : panel * share.k);
    for (int64_t from = share.first; from < share.last; from += panel) {
        const int64_t columns = smaller(panel, share.last - from);
        const void* weights = number(share.weights, share.type, from * share.k);
        if (!wide) expand(weights, share.type, columns * share.k, expanded.data());
        dots(share.input, share.m, wide ? static_cast<const float*>(weights) : expanded.data(), columns, share.k,
             share.output + from * share.m);
    }
}

void multiply_many_rows(const ProductShare& share) {
    const Rows input(share.input, share.m, share.k);
    if (share.type == NumberType::fp32) {
        const void* weights = number(share.weights, share.type, share.first * share.k);
        const int64_t columns = share.last - share.first;
        Eigen::Map<Eigen::MatrixXf>(share.output + share.first * share.m, share.m, columns).noalias() =
            input * Columns(static_cast<const float*>(weights), share.k, columns);
        return;
    }
    // Half a mebibyte of expanded weights at a time, which a core's cache holds; wide enough that packing x is little.
    constexpr int64_t panel = 256, depth = 512;
    Eigen::ArrayXf expanded(panel * depth);
    for (int64_t from = share.first; from < share.last; from += panel) {
        const int64_t columns = smaller(panel, share.last - from);
        Eigen::Map<Eigen::MatrixXf> output(share.output + from * share.m, share.m, columns);
        output.setZero();
        for (int64_t l = 0; l < share.k; l += depth) {
            const int64_t deep = smaller(depth, share.k - l);
            for (int64_t j = 0; j < columns; ++j)
                expand(number(share.weights, share.type, (from + j) * share.k + l), share.type, deep,
                       expanded.data() + j * deep);
            output.noalias() += input.middleCols(l, deep) * Columns(expanded.data(), deep, columns);
        }
    }
}

void multiply(const ProductShare& share) {
    if (share.first >= share.last) return;
    share.m <= few_rows ? multiply_few_rows(share) : multiply_many_rows(share);
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

void score(const Rows& query, const Rows& key, Softmax& s) {
    s.scores.resize(query.rows(), key.rows());
    if (query.rows() <= few_rows)
        dots(key.data(), key.rows(), query.data(), query.rows(), key.cols(), s.scores.data());
    else
        s.scores.noalias() = query * key.transpose();
}

void attend_block(const AttentionOperands& operands, const AttentionTask& task, int64_t from, int64_t keys,
                  Softmax& s) {
    const int64_t dim = operands.head_dim, first = task.first_key + from;
    const Rows query(operands.query + task.first_row * dim, task.rows, dim);
    const Rows key(expanded_rows(operands.keys, operands, first, keys, s.keys), keys, dim);
    const Rows value(expanded_rows(operands.values, operands, first, keys, s.values), keys, dim);
    score(query, key, s);
    s.scores *= operands.scale;
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
    if (task.rows <= few_rows)
        for (int64_t row = 0; row < task.rows; ++row) s.sum.row(row).noalias() += s.scores.row(row) * value;
    else
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
                                      multiply,
                                      attend,
                                      sum,
                                      rms_norm,
                                      silu_mul};

}  // namespace PLIMSOLL_INSTRUCTION_SET
}  // namespace plimsoll
