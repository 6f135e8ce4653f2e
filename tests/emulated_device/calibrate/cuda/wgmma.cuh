#pragma once
#include <array>
#include <functional>
#include <vector>

#include "calibrate/cuda/mma.cuh"

/// Products of warpgroups by the PTX ISA (8.5, "Asynchronous Warpgroup Level Matrix Instructions"), warp by warp: at
/// once, or as late as their wait allows.
namespace plimsoll::cuda {

using Products = std::vector<std::function<void()>>;
struct WarpProducts {
    Products open;
    std::vector<Products> groups;
};
inline WarpProducts& products_of_warp() {
    static std::array<WarpProducts, 32> all;
    return all[emulated::thread_index.x / 32];
}
inline void meet_as_warp(const std::function<void()>& act) {
    int nothing = 0;
    emulated::together(nothing, [&](const auto&) { act(); });
}

inline void show_to_products() {}
inline void begin_products() {}
inline void end_products() {
    meet_as_warp([] {
        WarpProducts& mine = products_of_warp();
        mine.groups.push_back(std::move(mine.open));
        mine.open.clear();
    });
}
template <int Pending>
void wait_products() {
    meet_as_warp([] {
        auto& groups = products_of_warp().groups;
        while (groups.size() > Pending) {
            for (const auto& product : groups.front()) product();
            groups.erase(groups.begin());
        }
    });
}
template <int Count>
void hold(float (&)[Count]) {}

inline std::uint64_t describe_operand(const uint4* operand) {
    const auto* const base = static_cast<const uint4*>(emulated::shared_memory());
    const auto address = static_cast<std::uint64_t>(operand - base) * 16;
    return std::uint64_t{1} << 62 | std::uint64_t{1024 >> 4} << 32 | address >> 4;
}

/// The one that begins `chunks` of 16 bytes further.
inline std::uint64_t further_operand(std::uint64_t operand, int chunks) {
    return operand + static_cast<std::uint64_t>(chunks);
}

/// Element `index` of row `row` behind a descriptor of swizzle mode 1 (128 bytes): bits 4 to 6 of the address are
/// exchanged by exclusive or with bits 7 to 9; eight rows are `stride` bytes.
inline std::uint16_t operand_element(std::uint64_t descriptor, int row, int index) {
    const std::uint64_t start = (descriptor & 0x3fff) << 4, stride = (descriptor >> 32 & 0x3fff) << 4;
    const auto r = static_cast<std::uint64_t>(row);
    const std::uint64_t address = start + r / 8 * stride + r % 8 * 128 + static_cast<std::uint64_t>(index) * 2;
    const std::uint64_t swizzled = address ^ (address >> 7 & 7) << 4;
    return half_word(static_cast<const char*>(emulated::shared_memory()) + swizzled, 0);
}

template <bool Transposed, class T>
void multiply_group(float (&sums)[32], const std::uint32_t (&a)[4], std::uint64_t b, bool adds, T) {
    struct Operands {
        float* sums;
        std::array<std::uint32_t, 4> a;
    } operands{sums, {a[0], a[1], a[2], a[3]}};
    emulated::together(operands, [&](const auto& all) {
        std::array<Operands, 32> lanes;
        for (std::size_t lane = 0; lane < 32; ++lane) lanes[lane] = *all[lane];
        const auto product = [lanes, b, adds] {
            static float left[16][16], right[16][64];
            const auto number = [](std::uint32_t bits) {
                return to_float(T::from_bits(static_cast<std::uint16_t>(bits)));
            };
            for (int lane = 0; lane < 32; ++lane)
                for (int i = 0; i < 4; ++i)
                    for (int half = 0; half < 2; ++half)
                        left[lane / 4 + i % 2 * 8][lane % 4 * 2 + half + i / 2 * 8] =
                            number(lanes[static_cast<std::size_t>(lane)].a[static_cast<std::size_t>(i)] >> (16 * half));
            for (int k = 0; k < 16; ++k)
                for (int n = 0; n < 64; ++n)
                    right[k][n] = number(Transposed ? operand_element(b, k, n) : operand_element(b, n, k));
            for (int lane = 0; lane < 32; ++lane)
                for (int i = 0; i < 32; ++i) {
                    float sum = 0;
                    for (int k = 0; k < 16; ++k)
                        sum += left[lane / 4 + i / 2 % 2 * 8][k] * right[k][i / 4 * 8 + lane % 4 * 2 + i % 2];
                    float& to = lanes[static_cast<std::size_t>(lane)].sums[i];
                    to = adds ? to + sum : sum;
                }
        };
        WarpProducts& mine = products_of_warp();
        if (mine.open.empty() && mine.groups.empty() && emulated::draw() % 2 == 0) return product();
        mine.open.push_back(product);
    });
}

}  // namespace plimsoll::cuda
