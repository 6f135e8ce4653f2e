#include <stdexcept>

#include "calibrate/cuda/attention.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/wgmma.cuh"

namespace plimsoll::cuda {
namespace {

constexpr float minus_infinity = -__builtin_huge_valf();
constexpr int groups = 2, threads = 128 * groups;  // warpgroups of a block, each with 64 query tokens of one head
constexpr int group_rows = 64, rows = group_rows * groups;
constexpr int columns = 128;                        // keys of a tile
constexpr int block_chunks = 8;                     // of 16 bytes in the 64 elements of a row that lie together
constexpr int block_size = columns * block_chunks;  // chunks of 64 elements of all rows of a tile

template <int HeadDim>
struct Tiling {
    static constexpr int blocks = HeadDim / 64;       // of 64 elements of the head
    static constexpr int depth_steps = HeadDim / 16;  // of 16 elements of the head
    static constexpr int tile_chunks = blocks * block_size;
    static constexpr int shared_bytes = 2 * 2 * tile_chunks * 16;  // keys and values, two tiles of each
};

/// Rows of keys or values into a tile, zeros past `present` rows.
template <class T, int HeadDim>
__device__ void load_tile(uint4* tile, const T* first, std::int64_t row_stride, int present) {
    constexpr int chunks = HeadDim / 8, rows_at_once = threads / chunks;
    const int chunk = static_cast<int>(threadIdx.x) % chunks;
    int row = static_cast<int>(threadIdx.x) / chunks;
    uint4* const block = tile + chunk / block_chunks * block_size;
    const T* from = first + row * row_stride + chunk * 8;
#pragma unroll
    for (int i = 0; i < columns / rows_at_once; ++i) {
        copy_16(block + swizzled_chunk(row, chunk % block_chunks, block_chunks), from, row < present);
        row += rows_at_once;
        from += rows_at_once * row_stride;
    }
}

/// One warpgroup's part of a block; each thread holds rows lane / 4 and 8 below of its warp's 16.
template <class T, int HeadDim>
struct Group {
    using Tile = Tiling<HeadDim>;
    std::uint32_t q[Tile::depth_steps][4];
    float scores[2][32];                     // of 64 keys each
    std::uint32_t weights[columns / 16][4];  // of 16 keys each
    float output[Tile::blocks][32];
    float maximum[2] = {minus_infinity, minus_infinity}, sum[2] = {}, shrink[2] = {};

    __device__ void load_queries(const T* first, std::int64_t row_stride, int present, int lane) {
#pragma unroll
        for (int step = 0; step < Tile::depth_steps; ++step)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                // As the left operand of m16n8k16: (rows 0-7, columns 0-7), (8-15, 0-7), (0-7, 8-15), (8-15, 8-15).
                const int row = lane / 4 + i % 2 * 8, column = step * 16 + i / 2 * 8 + lane % 4 * 2;
                q[step][i] =
                    row < present ? *reinterpret_cast<const std::uint32_t*>(first + row * row_stride + column) : 0;
            }
    }

    /// Asks for the scores of a tile of keys, given as the operand that it begins with.
    __device__ void score(std::uint64_t keys) {
#pragma unroll
        for (int half = 0; half < 2; ++half)
#pragma unroll
            for (int step = 0; step < Tile::depth_steps; ++step) {
                const int chunk = step / 4 * block_size + half * 64 * block_chunks + step % 4 * 2;
                multiply_group<false>(scores[half], q[step], further_operand(keys, chunk), step > 0, T{});
            }
    }

    /// Asks for the weighted values of a tile to be added.
    __device__ void add_values(std::uint64_t values, bool adds) {
#pragma unroll
        for (int step = 0; step < columns / 16; ++step)
#pragma unroll
            for (int block = 0; block < Tile::blocks; ++block) {
                const int chunk = block * block_size + step * 16 * block_chunks;
                multiply_group<true>(output[block], weights[step], further_operand(values, chunk), adds || step > 0,
                                     T{});
            }
    }

    /// Hides the keys after each token's own (position of the warp's first row: `position`) and past the end.
    __device__ void mask(int first_column, int position, int kv, int lane) {
#pragma unroll
        for (int half = 0; half < 2; ++half)
#pragma unroll
            for (int i = 0; i < 32; ++i) {
                const TilePosition at = result_position(lane, i % 4);
                const int column = first_column + half * 64 + i / 4 * 8 + at.column;
                if (column > position + at.row || column >= kv) scores[half][i] = minus_infinity;
            }
    }

    /// Turns the scores into weights 2^(scale x (score - maximum)); `shrink` is for what was summed under a lower one.
    __device__ void weigh(float scale) {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float highest = maximum[r];
#pragma unroll
            for (int i = 2 * r; i < 32; i += 4)
                highest =
                    fmaxf(highest, fmaxf(fmaxf(scores[0][i], scores[0][i + 1]), fmaxf(scores[1][i], scores[1][i + 1])));
            highest = row_maximum(highest);
            const float shift = highest * scale;
            shrink[r] = power_of_two(maximum[r] * scale - shift);
            maximum[r] = highest;
            float total = sum[r] * shrink[r];
#pragma unroll
            for (int half = 0; half < 2; ++half)
#pragma unroll
                for (int i = 2 * r; i < 32; i += 4)
#pragma unroll
                    for (int e = i; e < i + 2; ++e) {
                        scores[half][e] = power_of_two(fmaf(scores[half][e], scale, -shift));
                        total += scores[half][e];
                    }
            sum[r] = total;
        }
    }

    /// The weights as left operands: register i of 16 keys is elements 2 (i % 2) and the next of their 8 keys i / 2.
    __device__ void pack_weights() {
#pragma unroll
        for (int step = 0; step < columns / 16; ++step)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int at = step % 4 * 8 + i / 2 * 4 + 2 * (i % 2);
                weights[step][i] = pack(scores[step / 4][at], scores[step / 4][at + 1], T{});
            }
    }

    __device__ void rescale() {
#pragma unroll
        for (int block = 0; block < Tile::blocks; ++block)
#pragma unroll
            for (int i = 0; i < 32; ++i) output[block][i] *= shrink[i / 2 % 2];
    }

    __device__ void hold_scores() {
        hold(scores[0]);
        hold(scores[1]);
    }
    __device__ void hold_output() {
#pragma unroll
        for (int block = 0; block < Tile::blocks; ++block) hold(output[block]);
    }

    __device__ void store(T* first, std::int64_t row_stride, int present, int lane) const {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            const float reciprocal = 1.0F / row_sum(sum[r]);
            const TilePosition at = result_position(lane, 2 * r);
            if (at.row >= present) continue;
#pragma unroll
            for (int block = 0; block < Tile::blocks; ++block)
#pragma unroll
                for (int i = 2 * r; i < 32; i += 4)
                    *reinterpret_cast<std::uint32_t*>(first + at.row * row_stride + block * 64 + i / 4 * 8 +
                                                      at.column) =
                        pack(output[block][i] * reciprocal, output[block][i + 1] * reciprocal, T{});
        }
    }
};

/// Flash attention with the products of one tile under way while the next one's weights are computed (Shah and others:
/// "FlashAttention-3", arXiv 2407.08608, section 3.2). In round j the scores of tile j + 1 and the values of tile j are
/// multiplied, and the keys of tile j + 2 and the values of tile j + 1 fetched.
template <class T, int HeadDim>
__global__ void __launch_bounds__(threads, 1) prefill(PrefillArguments a, float scale) {
    using Tile = Tiling<HeadDim>;
    uint4* const keys = dynamic_shared();
    uint4* const values = keys + 2 * Tile::tile_chunks;

    // Late rows see the most keys: they start first, so that the last blocks to finish are short.
    const int first_row = static_cast<int>(gridDim.x - 1 - blockIdx.x) * rows;
    const int head = static_cast<int>(blockIdx.y), sequence = static_cast<int>(blockIdx.z);
    const int kv_head = head / (a.heads / a.kv_heads);
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int own_row = first_row + static_cast<int>(threadIdx.x) / 32 * 16;  // the warp's first
    const int before = a.kv - a.query;  // tokens of context ahead of the first query token
    const int last = before + min(first_row + rows, a.query);
    const int tiles = (last + columns - 1) / columns;
    const int position = before + own_row;

    const std::int64_t own_token = std::int64_t{sequence} * a.query + own_row;
    const std::int64_t first_key = std::int64_t{sequence} * a.kv * a.kv_row + kv_head * HeadDim;
    const auto fetch = [&](uint4* tiles_of, const void* from, int tile) {
        if (tile >= tiles) return;
        const int first = tile * columns;
        load_tile<T, HeadDim>(tiles_of + tile % 2 * Tile::tile_chunks,
                              static_cast<const T*>(from) + first_key + first * a.kv_row, a.kv_row, a.kv - first);
    };
    fetch(keys, a.k, 0);
    commit_copies();
    fetch(keys, a.k, 1);
    fetch(values, a.v, 0);
    commit_copies();

    Group<T, HeadDim> group;
    group.load_queries(static_cast<const T*>(a.q) + own_token * a.q_row + head * HeadDim, a.q_row, a.query - own_row,
                       lane);
    const auto weigh = [&](int tile) {
        const int first = tile * columns;
        if (first + columns > position || first + columns > a.kv) group.mask(first, position, a.kv, lane);
        group.weigh(scale);
    };
    wait_copies<1>();
    show_to_products();
    __syncthreads();
    begin_products();
    group.score(describe_operand(keys));
    end_products();
    wait_products<0>();
    group.hold_scores();
    weigh(0);
    group.pack_weights();

    for (int tile = 0; tile + 1 < tiles; ++tile) {
        wait_copies<0>();
        show_to_products();
        __syncthreads();  // keys of the next tile and values of this are there; the places before them are free
        fetch(keys, a.k, tile + 2);
        fetch(values, a.v, tile + 1);
        commit_copies();
        begin_products();
        group.score(describe_operand(keys + (tile + 1) % 2 * Tile::tile_chunks));
        end_products();
        group.add_values(describe_operand(values + tile % 2 * Tile::tile_chunks), tile > 0);
        end_products();
        wait_products<1>();
        group.hold_scores();
        weigh(tile + 1);
        wait_products<0>();
        group.hold_output();
        group.hold_scores();  // not packed before the products are done with the weights before
        group.rescale();
        group.pack_weights();
    }
    wait_copies<0>();
    show_to_products();
    __syncthreads();
    begin_products();
    group.add_values(describe_operand(values + (tiles - 1) % 2 * Tile::tile_chunks), tiles > 1);
    end_products();
    wait_products<0>();
    group.hold_output();
    group.store(static_cast<T*>(a.o) + (own_token * a.heads + head) * HeadDim, std::int64_t{a.heads} * HeadDim,
                a.query - own_row, lane);
}

template <class T, int HeadDim>
void launch(const PrefillArguments& a, cudaStream_t stream) {
    static const cudaError_t allowed = cudaFuncSetAttribute(
        prefill<T, HeadDim>, cudaFuncAttributeMaxDynamicSharedMemorySize, Tiling<HeadDim>::shared_bytes);
    check(allowed, "shared memory");
    const dim3 grid(static_cast<unsigned>((a.query + rows - 1) / rows), static_cast<unsigned>(a.heads),
                    static_cast<unsigned>(a.batch));
    // 2^x instead of e^x; the scores are divided by the root of the head dimension.
    const float scale = 1.4426950408889634F / sqrtf(static_cast<float>(HeadDim));
    start_kernel(prefill<T, HeadDim>, {grid, threads, Tiling<HeadDim>::shared_bytes, stream}, a, scale);
    check_launch("prefill attention by warpgroups");
}

}  // namespace

bool prefill_by_groups_exists(int head_dim) {
#if defined(PLIMSOLL_SM90A)
    return device_limits().capability == 90 && (head_dim == 64 || head_dim == 128);
#else
    return head_dim < 0;  // never
#endif
}

void attention_prefill_by_groups(Dtype dtype, const PrefillArguments& a, cudaStream_t stream) {
    if (!prefill_by_groups_exists(a.head_dim))
        throw std::runtime_error(
            "prefill attention by warpgroups needs compute capability 9.0, a program built for sm_90a, and heads of 64 "
            "or 128");
    with_16_bit(dtype, [&]<class T>(T) {
        if (a.head_dim == 64)
            launch<T, 64>(a, stream);
        else
            launch<T, 128>(a, stream);
    });
}

}  // namespace plimsoll::cuda
