#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "calibrate/cuda/fragments.hpp"
#include "calibrate/cuda/numeric.cuh"

/// What the instructions do by the PTX ISA (8.5, "ldmatrix", "Matrix Fragments for mma.m16n8k16", "cp.async").
namespace plimsoll::cuda {

inline void copy_16(uint4* shared, const void* global, bool present) {
    if (present) {
        emulated::copy_later([=] { std::memcpy(shared, global, 16); });
    } else {
        emulated::copy_later([=] { std::memset(shared, 0, 16); });
    }
}
inline void commit_copies() {
    emulated::end_copy_group();
}
template <int Pending>
void wait_copies() {
    emulated::wait_for_copies(Pending);
}

/// Element `index` of 16 bits behind a pointer.
inline std::uint16_t half_word(const void* memory, int index) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, static_cast<const char*>(memory) + 2 * index, sizeof bits);
    return bits;
}

/// Lane l receives of matrix i, whose row r starts where lane 8 i + r points, elements 2 (l % 4) and the next of row
/// l / 4; transposed, rows 2 (l % 4) and the next of column l / 4.
inline void load_matrices(std::uint32_t (&tiles)[4], const uint4* shared, bool transposed) {
    struct Operands {
        const uint4* row;
        std::uint32_t* tiles;
    } operands{shared, tiles};
    emulated::together(operands, [&](const auto& all) {
        for (int lane = 0; lane < 32; ++lane)
            for (int i = 0; i < 4; ++i) {
                std::uint32_t both = 0;
                for (int half = 0; half < 2; ++half) {
                    const int row = transposed ? lane % 4 * 2 + half : lane / 4;
                    const int column = transposed ? lane / 4 : lane % 4 * 2 + half;
                    const uint4* const from = all[static_cast<std::size_t>(8 * i + row)]->row;
                    both |= static_cast<std::uint32_t>(half_word(from, column)) << (16 * half);
                }
                all[static_cast<std::size_t>(lane)]->tiles[i] = both;
            }
    });
}
inline void load_tiles(std::uint32_t (&tiles)[4], const uint4* shared) {
    load_matrices(tiles, shared, false);
}
inline void load_tiles_transposed(std::uint32_t (&tiles)[4], const uint4* shared) {
    load_matrices(tiles, shared, true);
}

/// Of a, register i holds row l / 4 (+ 8 for odd i), columns 2 (l % 4) and the next (+ 8 for i > 1); of b, register i
/// rows 2 (l % 4) and the next (+ 8 for i = 1), column l / 4; of the sum, element i row l / 4 (+ 8 for i > 1), column
/// 2 (l % 4) + i % 2.
template <class T>
void multiply_add(float (&sum)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1, T) {
    struct Operands {
        float* sum;
        const std::uint32_t* a;
        std::uint32_t b[2];
    } operands{sum, a, {b0, b1}};
    emulated::together(operands, [&](const auto& all) {
        static float left[16][16], right[16][8];
        static const std::vector<float> values = [] {
            std::vector<float> all_values;
            for (std::uint32_t bits = 0; bits < 65536; ++bits)
                all_values.push_back(to_float(T::from_bits(static_cast<std::uint16_t>(bits))));
            return all_values;
        }();
        const auto element = [](std::uint32_t both, int half) { return values[both >> (16 * half) & 0xffffU]; };
        for (int lane = 0; lane < 32; ++lane)
            for (int half = 0; half < 2; ++half) {
                const Operands& mine = *all[static_cast<std::size_t>(lane)];
                for (int i = 0; i < 4; ++i)
                    left[lane / 4 + i % 2 * 8][lane % 4 * 2 + half + i / 2 * 8] = element(mine.a[i], half);
                for (int i = 0; i < 2; ++i) right[lane % 4 * 2 + half + i * 8][lane / 4] = element(mine.b[i], half);
            }
        for (int lane = 0; lane < 32; ++lane)
            for (int i = 0; i < 4; ++i) {
                float added = 0;
                for (int k = 0; k < 16; ++k) added += left[lane / 4 + i / 2 * 8][k] * right[k][lane % 4 * 2 + i % 2];
                all[static_cast<std::size_t>(lane)]->sum[i] += added;
            }
    });
}

inline float power_of_two(float x) {
    return std::exp2(x);
}

}  // namespace plimsoll::cuda
