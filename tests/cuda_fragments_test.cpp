#include <array>
#include <cstddef>
#include <set>
#include <vector>

#include "calibrate/cuda/fragments.hpp"
#include "tests/catch.hpp"

// The kernels of calibrate/cuda need a GPU; where their tiles' elements lie does not. Here a warp is emulated lane by
// lane by what the PTX ISA says of ldmatrix and mma.m16n8k16, and products by way of the shared layout helpers must
// be those of plain loops.

using namespace plimsoll::cuda;

namespace {

constexpr int lanes = 32;
using Matrix = std::vector<std::vector<int>>;

Matrix matrix(int rows, int columns, int seed) {
    Matrix result(static_cast<std::size_t>(rows), std::vector<int>(static_cast<std::size_t>(columns)));
    for (auto& row : result)
        for (int& value : row) value = (seed = (seed * 1103 + 12345) % 65536) % 19 - 9;
    return result;
}

int at(const Matrix& m, int row, int column) {
    return m[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
}

/// A tile as the kernels keep it in shared memory: 16-byte chunks of 8 elements in swizzled places.
struct SharedTile {
    int chunks;
    std::vector<std::array<int, 8>> memory;

    explicit SharedTile(const Matrix& m)
        : chunks(static_cast<int>(m.front().size()) / 8), memory(m.size() * m.front().size() / 8) {
        for (int row = 0; row < static_cast<int>(m.size()); ++row)
            for (int column = 0; column < chunks * 8; ++column)
                memory[static_cast<std::size_t>(swizzled_chunk(row, column / 8, chunks))]
                      [static_cast<std::size_t>(column % 8)] = at(m, row, column);
    }
};

/// Registers of one lane: four pairs of elements.
using Registers = std::array<std::array<int, 2>, 4>;

/// PTX ISA, ldmatrix.x4: lane l gives the address of row l % 8 of matrix l / 8; lane l receives of each matrix elements
/// 2 (l % 4) and the next of row l / 4, transposed: rows 2 (l % 4) and the next of column l / 4.
std::array<Registers, lanes> ldmatrix(const SharedTile& tile, const std::array<int, lanes>& addresses,
                                      bool transposed) {
    std::array<Registers, lanes> result{};
    for (int lane = 0; lane < lanes; ++lane)
        for (int m = 0; m < 4; ++m)
            for (int half = 0; half < 2; ++half) {
                const int row = transposed ? lane % 4 * 2 + half : lane / 4;
                const int column = transposed ? lane / 4 : lane % 4 * 2 + half;
                const auto chunk = static_cast<std::size_t>(addresses[static_cast<std::size_t>(8 * m + row)]);
                result[static_cast<std::size_t>(lane)][static_cast<std::size_t>(m)][static_cast<std::size_t>(half)] =
                    tile.memory[chunk][static_cast<std::size_t>(column)];
            }
    return result;
}

/// PTX ISA, mma.m16n8k16: of the left operand register i holds row l / 4 (+ 8 for odd i), columns 2 (l % 4) and the
/// next (+ 8 for i > 1); of the right one register i holds rows 2 (l % 4) and the next (+ 8 for i = 1), column l / 4.
void mma(Matrix& sum, int first_column, const std::array<Registers, lanes>& a, const std::array<Registers, lanes>& b,
         std::size_t first_register) {
    int left[16][16] = {}, right[16][8] = {};
    for (int lane = 0; lane < lanes; ++lane) {
        const auto l = static_cast<std::size_t>(lane);
        for (int i = 0; i < 4; ++i)
            for (int half = 0; half < 2; ++half)
                left[lane / 4 + i % 2 * 8][lane % 4 * 2 + half + i / 2 * 8] =
                    a[l][static_cast<std::size_t>(i)][static_cast<std::size_t>(half)];
        for (int i = 0; i < 2; ++i)
            for (int half = 0; half < 2; ++half)
                right[lane % 4 * 2 + half + i * 8][lane / 4] =
                    b[l][first_register + static_cast<std::size_t>(i)][static_cast<std::size_t>(half)];
    }
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column)
            for (int k = 0; k < 16; ++k)
                sum[static_cast<std::size_t>(row)][static_cast<std::size_t>(first_column + column)] +=
                    left[row][k] * right[k][column];
}

template <class Where>
std::array<int, lanes> addresses(Where where, int row, int chunk, int chunks) {
    std::array<int, lanes> result{};
    for (int lane = 0; lane < lanes; ++lane)
        result[static_cast<std::size_t>(lane)] =
            swizzled_chunk(row + where(lane).row, chunk + where(lane).column, chunks);
    return result;
}

}  // namespace

TEST_CASE("cuda fragments: scores of queries and keys by tiles are those of plain loops") {
    const int head_dim = GENERATE(64, 128, 256);
    const int chunks = head_dim / 8;
    const Matrix q = matrix(16, head_dim, 1), k = matrix(64, head_dim, 2);
    const SharedTile q_tile(q), k_tile(k);
    Matrix scores = matrix(16, 64, 0);
    for (auto& row : scores) row.assign(row.size(), 0);
    for (int step = 0; step < head_dim / 16; ++step) {
        const auto a = ldmatrix(q_tile, addresses(rows_first, 0, step * 2, chunks), false);
        for (int c = 0; c < 8; c += 2) {
            const auto b = ldmatrix(k_tile, addresses(columns_first, c * 8, step * 2, chunks), false);
            mma(scores, c * 8, a, b, 0);
            mma(scores, (c + 1) * 8, a, b, 2);
        }
    }
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 64; ++column) {
            int expected = 0;
            for (int d = 0; d < head_dim; ++d) expected += at(q, row, d) * at(k, column, d);
            REQUIRE(at(scores, row, column) == expected);
        }
}

TEST_CASE("cuda fragments: weights leave one product as the left operand of the next, times values by tiles") {
    const int head_dim = GENERATE(64, 128, 256);
    const int chunks = head_dim / 8;
    const Matrix weights = matrix(16, 64, 3), v = matrix(64, head_dim, 4);
    const SharedTile v_tile(v);
    Matrix output(16, std::vector<int>(static_cast<std::size_t>(head_dim)));
    for (int step = 0; step < 4; ++step) {
        // As the kernels pack it: register i is elements 2 (i % 2) and the next of result tile 2 step + i / 2.
        std::array<Registers, lanes> a{};
        for (int lane = 0; lane < lanes; ++lane)
            for (int i = 0; i < 4; ++i)
                for (int half = 0; half < 2; ++half) {
                    const TilePosition from = result_position(lane, 2 * (i % 2) + half);
                    a[static_cast<std::size_t>(lane)][static_cast<std::size_t>(i)][static_cast<std::size_t>(half)] =
                        at(weights, from.row, (2 * step + i / 2) * 8 + from.column);
                }
        for (int c = 0; c < head_dim / 8; c += 2) {
            const auto b = ldmatrix(v_tile, addresses(rows_first, step * 16, c, chunks), true);
            mma(output, c * 8, a, b, 0);
            mma(output, (c + 1) * 8, a, b, 2);
        }
    }
    for (int row = 0; row < 16; ++row)
        for (int d = 0; d < head_dim; ++d) {
            int expected = 0;
            for (int t = 0; t < 64; ++t) expected += at(weights, row, t) * at(v, t, d);
            REQUIRE(at(output, row, d) == expected);
        }
}

TEST_CASE("cuda fragments: a result's elements cover its tile once") {
    std::set<std::pair<int, int>> seen;
    for (int lane = 0; lane < lanes; ++lane)
        for (int element = 0; element < 4; ++element) {
            const TilePosition position = result_position(lane, element);
            seen.emplace(position.row, position.column);
        }
    CHECK(seen.size() == 16 * 8);
    CHECK(*seen.rbegin() == std::pair(15, 7));
}

// Shared memory serves 128 bytes, eight chunks, at a time: the rows of one 8 x 8 matrix, and the chunks that eight
// neighbouring threads copy of a row, must fall on eight different ones.
TEST_CASE("cuda fragments: no two rows of a matrix share a group of banks") {
    const int chunks = GENERATE(8, 16, 32);
    for (const auto where : {rows_first, columns_first}) {
        const auto all = addresses(where, 16, 4, chunks);
        for (std::size_t m = 0; m < 4; ++m) {
            std::set<int> groups;
            for (std::size_t row = 0; row < 8; ++row) groups.insert(all[8 * m + row] % 8);
            CHECK(groups.size() == 8);
        }
    }
    for (int row = 0; row < 8; ++row) {
        std::set<int> groups;
        for (int chunk = 0; chunk < 8; ++chunk) groups.insert(swizzled_chunk(row, chunk, chunks) % 8);
        CHECK(groups.size() == 8);
    }
}
