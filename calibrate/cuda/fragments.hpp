#pragma once

#if defined(__CUDACC__)
#define PLIMSOLL_DEVICE __host__ __device__
#else
#define PLIMSOLL_DEVICE
#endif

/// Where the elements of the tensor-core tiles lie, for the kernels and for the host test that emulates them.
/// Layouts of mma.m16n8k16 and ldmatrix: PTX ISA 8.x, "Matrix Fragments for mma.m16n8k16", "ldmatrix".
namespace plimsoll::cuda {

struct TilePosition {
    int row, column;
};

/// A tile in shared memory has rows of `chunks` times 8 elements of 2 bytes; a chunk is 16 bytes. The chunks of a row
/// are permuted by the row, so that 8 rows of one column of chunks lie in 8 different groups of banks.
PLIMSOLL_DEVICE constexpr int swizzled_chunk(int row, int chunk, int chunks) {
    return row * chunks + (chunk ^ (row & 7));
}

/// Row and chunk whose address lane `lane` gives to ldmatrix.x4 for a 16 x 16 tile [row][column], where matrices 0..3
/// are (rows 0-7, columns 0-7), (8-15, 0-7), (0-7, 8-15), (8-15, 8-15). Plain, it is the left operand [m][k];
/// transposed on loading, it holds the right operands (0, 1) and (2, 3) of two columns of 8 from a tile stored [k][n].
PLIMSOLL_DEVICE constexpr TilePosition rows_first(int lane) {
    return {lane & 15, lane >> 4};
}

/// The same for a tile stored [n][k]: matrices (0-7, 0-7), (0-7, 8-15), (8-15, 0-7), (8-15, 8-15) are the right
/// operands (0, 1) and (2, 3) of two columns of 8.
PLIMSOLL_DEVICE constexpr TilePosition columns_first(int lane) {
    return {((lane >> 4) << 3) + (lane & 7), (lane >> 3) & 1};
}

/// Row and column in the 16 x 8 result of element `element` (0..3) that a lane holds.
PLIMSOLL_DEVICE constexpr TilePosition result_position(int lane, int element) {
    return {(lane >> 2) + (element >> 1) * 8, (lane & 3) * 2 + (element & 1)};
}

}  // namespace plimsoll::cuda
