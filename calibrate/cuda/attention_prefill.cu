#include <stdexcept>

#include "calibrate/cuda/attention.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/mma.cuh"

namespace plimsoll::cuda {
namespace {

constexpr float minus_infinity = -__builtin_huge_valf();
constexpr int warps = 4, threads = 32 * warps;

/// Sizes of the tiles for one head dimension: a block takes Rows query tokens of one head, each warp a quarter of them,
/// and walks over the keys by Columns. 32 rows a warp halve the reads of keys and values from shared memory, which
/// would bound the rate; the sums of 256 columns leave registers for 16 alone.
template <int HeadDim>
struct Tiling {
    static constexpr int rows = HeadDim == 256 ? 64 : 128;
    static constexpr int columns = 64;
    static constexpr int chunks = HeadDim / 8;             // of 16 bytes in a row
    static constexpr int row_tiles = rows / (16 * warps);  // of 16 query tokens a warp
    static constexpr int column_tiles = columns / 8;       // of 8 keys
    static constexpr int depth_steps = HeadDim / 16;       // of 16 elements of the head
    static constexpr int output_tiles = HeadDim / 8;       // of 8 elements of the head
    static constexpr int shared_bytes = (rows + 2 * columns) * chunks * 16;
    static constexpr int blocks_at_once = 2;
};

/// Rows of a tile into shared memory, zeros past `present` rows.
template <int Rows, int Chunks, class T>
__device__ void load_rows(uint4* tile, const T* first, std::int64_t row_stride, int present) {
    constexpr int rows_at_once = threads / Chunks;
    static_assert(threads % Chunks == 0 && Rows % rows_at_once == 0);
    const int chunk = static_cast<int>(threadIdx.x) % Chunks;
    int row = static_cast<int>(threadIdx.x) / Chunks;
    const T* from = first + row * row_stride + chunk * 8;
#pragma unroll
    for (int i = 0; i < Rows / rows_at_once; ++i) {
        copy_16(tile + swizzled_chunk(row, chunk, Chunks), from, row < present);
        row += rows_at_once;
        from += rows_at_once * row_stride;
    }
}

/// The running softmax of the rows of a warp: each thread holds two rows (lane / 4 and 8 below) of each row tile.
template <class T, int HeadDim>
struct Rows {
    using Tile = Tiling<HeadDim>;
    float output[Tile::row_tiles][Tile::output_tiles][4] = {};
    float maximum[Tile::row_tiles][2];
    float sum[Tile::row_tiles][2] = {};

    __device__ Rows() {
#pragma unroll
        for (auto& pair : maximum) pair[0] = pair[1] = minus_infinity;
    }
};

template <class T, int HeadDim>
using Scores = float[Tiling<HeadDim>::row_tiles][Tiling<HeadDim>::column_tiles][4];

template <class T, int HeadDim>
__device__ void score(float (&scores)[Tiling<HeadDim>::row_tiles][Tiling<HeadDim>::column_tiles][4], const uint4* q,
                      const uint4* k, int lane) {
    using Tile = Tiling<HeadDim>;
    const TilePosition left = rows_first(lane), right = columns_first(lane);
#pragma unroll
    for (int step = 0; step < Tile::depth_steps; ++step) {
        std::uint32_t a[Tile::row_tiles][4];
#pragma unroll
        for (int r = 0; r < Tile::row_tiles; ++r)
            load_tiles(a[r], q + swizzled_chunk(r * 16 + left.row, step * 2 + left.column, Tile::chunks));
#pragma unroll
        for (int c = 0; c < Tile::column_tiles; c += 2) {
            std::uint32_t b[4];
            load_tiles(b, k + swizzled_chunk(c * 8 + right.row, step * 2 + right.column, Tile::chunks));
#pragma unroll
            for (int r = 0; r < Tile::row_tiles; ++r) {
                multiply_add(scores[r][c], a[r], b[0], b[1], T{});
                multiply_add(scores[r][c + 1], a[r], b[2], b[3], T{});
            }
        }
    }
}

/// Hides the keys after each token's own (position of the warp's first row: `position`) and past the end.
template <class T, int HeadDim>
__device__ void mask(float (&scores)[Tiling<HeadDim>::row_tiles][Tiling<HeadDim>::column_tiles][4], int first_column,
                     int position, int kv, int lane) {
    using Tile = Tiling<HeadDim>;
#pragma unroll
    for (int r = 0; r < Tile::row_tiles; ++r)
#pragma unroll
        for (int c = 0; c < Tile::column_tiles; ++c)
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const TilePosition at = result_position(lane, e);
                const int column = first_column + c * 8 + at.column;
                if (column > position + r * 16 + at.row || column >= kv) scores[r][c][e] = minus_infinity;
            }
}

/// Turns the scores into weights 2^(scale x (score - maximum)) and rescales what was summed under a lower maximum.
template <class T, int HeadDim>
__device__ void weigh(Rows<T, HeadDim>& state,
                      float (&scores)[Tiling<HeadDim>::row_tiles][Tiling<HeadDim>::column_tiles][4], float scale) {
    using Tile = Tiling<HeadDim>;
#pragma unroll
    for (int r = 0; r < Tile::row_tiles; ++r)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float highest = state.maximum[r][half];
#pragma unroll
            for (int c = 0; c < Tile::column_tiles; ++c)
                highest = fmaxf(highest, fmaxf(scores[r][c][2 * half], scores[r][c][2 * half + 1]));
            highest = row_maximum(highest);
            const float shift = highest * scale;
            const float shrink = power_of_two(state.maximum[r][half] * scale - shift);
            state.maximum[r][half] = highest;
            float sum = state.sum[r][half] * shrink;
#pragma unroll
            for (int c = 0; c < Tile::column_tiles; ++c)
#pragma unroll
                for (int e = 2 * half; e < 2 * half + 2; ++e) {
                    scores[r][c][e] = power_of_two(fmaf(scores[r][c][e], scale, -shift));
                    sum += scores[r][c][e];
                }
            state.sum[r][half] = sum;
#pragma unroll
            for (int c = 0; c < Tile::output_tiles; ++c) {
                state.output[r][c][2 * half] *= shrink;
                state.output[r][c][2 * half + 1] *= shrink;
            }
        }
}

template <class T, int HeadDim>
__device__ void add_values(Rows<T, HeadDim>& state,
                           const float (&weights)[Tiling<HeadDim>::row_tiles][Tiling<HeadDim>::column_tiles][4],
                           const uint4* v, int lane) {
    using Tile = Tiling<HeadDim>;
    const TilePosition right = rows_first(lane);
#pragma unroll
    for (int step = 0; step < Tile::column_tiles / 2; ++step) {
        // The result of the first product is the left operand of the second, element for element.
        std::uint32_t a[Tile::row_tiles][4];
#pragma unroll
        for (int r = 0; r < Tile::row_tiles; ++r)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const auto& tile = weights[r][2 * step + i / 2];
                a[r][i] = pack(tile[2 * (i % 2)], tile[2 * (i % 2) + 1], T{});
            }
#pragma unroll
        for (int c = 0; c < Tile::output_tiles; c += 2) {
            std::uint32_t b[4];
            load_tiles_transposed(b, v + swizzled_chunk(step * 16 + right.row, c + right.column, Tile::chunks));
#pragma unroll
            for (int r = 0; r < Tile::row_tiles; ++r) {
                multiply_add(state.output[r][c], a[r], b[0], b[1], T{});
                multiply_add(state.output[r][c + 1], a[r], b[2], b[3], T{});
            }
        }
    }
}

template <class T, int HeadDim>
__device__ void store(const Rows<T, HeadDim>& state, T* o, std::int64_t row_stride, int present, int lane) {
    using Tile = Tiling<HeadDim>;
#pragma unroll
    for (int r = 0; r < Tile::row_tiles; ++r)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const float reciprocal = 1.0F / row_sum(state.sum[r][half]);
            const TilePosition at = result_position(lane, 2 * half);
            const int row = r * 16 + at.row;
            if (row >= present) continue;
#pragma unroll
            for (int c = 0; c < Tile::output_tiles; ++c)
                *reinterpret_cast<std::uint32_t*>(o + row * row_stride + c * 8 + at.column) =
                    pack(state.output[r][c][2 * half] * reciprocal, state.output[r][c][2 * half + 1] * reciprocal, T{});
        }
}

/// Flash attention (Dao: "FlashAttention-2", arXiv 2307.08691): the keys of the next tile are fetched while this one's
/// values are added, the values while the scores are computed.
template <class T, int HeadDim>
__global__ void __launch_bounds__(threads, Tiling<HeadDim>::blocks_at_once) prefill(PrefillArguments a, float scale) {
    using Tile = Tiling<HeadDim>;
    uint4* const shared = dynamic_shared();
    uint4* const q_tile = shared;
    uint4* const k_tile = q_tile + Tile::rows * Tile::chunks;
    uint4* const v_tile = k_tile + Tile::columns * Tile::chunks;

    // Late rows see the most keys: they start first, so that the last blocks to finish are short.
    const int first_row = static_cast<int>(gridDim.x - 1 - blockIdx.x) * Tile::rows;
    const int head = static_cast<int>(blockIdx.y), sequence = static_cast<int>(blockIdx.z);
    const int kv_head = head / (a.heads / a.kv_heads);
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int warp_row = warp * (Tile::rows / warps);
    const int present = a.query - first_row;
    const int before = a.kv - a.query;  // tokens of context ahead of the first query token
    const int last = before + min(first_row + Tile::rows, a.query);
    const int tiles = (last + Tile::columns - 1) / Tile::columns;

    const std::int64_t first_token = std::int64_t{sequence} * a.query + first_row;
    const T* const q = static_cast<const T*>(a.q) + first_token * a.q_row + head * HeadDim;
    const T* const k = static_cast<const T*>(a.k) + std::int64_t{sequence} * a.kv * a.kv_row + kv_head * HeadDim;
    const T* const v = static_cast<const T*>(a.v) + std::int64_t{sequence} * a.kv * a.kv_row + kv_head * HeadDim;

    load_rows<Tile::rows, Tile::chunks>(q_tile, q, a.q_row, present);
    load_rows<Tile::columns, Tile::chunks>(k_tile, k, a.kv_row, a.kv);
    commit_copies();

    Rows<T, HeadDim> state;
    const int position = before + first_row + warp_row;
    const int last_position = position + Tile::rows / warps - 1;
    for (int tile = 0; tile < tiles; ++tile) {
        const int first_column = tile * Tile::columns;
        wait_copies<0>();
        __syncthreads();  // keys are there; every warp is done with the values before
        load_rows<Tile::columns, Tile::chunks>(v_tile, v + first_column * a.kv_row, a.kv_row, a.kv - first_column);
        commit_copies();
        const bool seen = first_column <= last_position;  // else it is all masked for this warp
        Scores<T, HeadDim> scores = {};
        if (seen) score<T, HeadDim>(scores, q_tile + warp_row * Tile::chunks, k_tile, lane);
        wait_copies<0>();
        __syncthreads();  // values are there; every warp is done with the keys
        const int next = first_column + Tile::columns;
        if (tile + 1 < tiles)
            load_rows<Tile::columns, Tile::chunks>(k_tile, k + next * a.kv_row, a.kv_row, a.kv - next);
        commit_copies();
        if (!seen) continue;
        if (next > position || next > a.kv) mask<T, HeadDim>(scores, first_column, position, a.kv, lane);
        weigh<T, HeadDim>(state, scores, scale);
        add_values<T, HeadDim>(state, scores, v_tile, lane);
    }
    T* const o = static_cast<T*>(a.o) + ((first_token + warp_row) * a.heads + head) * HeadDim;
    store<T, HeadDim>(state, o, std::int64_t{a.heads} * HeadDim, present - warp_row, lane);
}

template <class T, int HeadDim>
void launch(const PrefillArguments& a, cudaStream_t stream) {
    using Tile = Tiling<HeadDim>;
    if (static_cast<std::size_t>(Tile::shared_bytes) > device_limits().shared_bytes_per_block)
        throw std::runtime_error("prefill attention with head dimension " + std::to_string(HeadDim) + " needs " +
                                 std::to_string(Tile::shared_bytes) + " bytes of shared memory");
    static const cudaError_t allowed =
        cudaFuncSetAttribute(prefill<T, HeadDim>, cudaFuncAttributeMaxDynamicSharedMemorySize, Tile::shared_bytes);
    check(allowed, "shared memory");
    const dim3 grid(static_cast<unsigned>((a.query + Tile::rows - 1) / Tile::rows), static_cast<unsigned>(a.heads),
                    static_cast<unsigned>(a.batch));
    // 2^x instead of e^x; the scores are divided by the root of the head dimension.
    const float scale = 1.4426950408889634F / sqrtf(static_cast<float>(HeadDim));
    start_kernel(prefill<T, HeadDim>, {grid, threads, Tile::shared_bytes, stream}, a, scale);
    check_launch("prefill attention");
}

}  // namespace

void attention_prefill(Dtype dtype, const PrefillArguments& a, cudaStream_t stream) {
    require_capability(dtype == Dtype::bf16 ? 80 : 75, "prefill attention by tensor cores");
    with_16_bit(dtype, [&]<class T>(T) {
        if (a.head_dim == 64)
            launch<T, 64>(a, stream);
        else if (a.head_dim == 128)
            launch<T, 128>(a, stream);
        else if (a.head_dim == 256)
            launch<T, 256>(a, stream);
        else
            throw std::runtime_error("attention exists for head dimensions 64, 128 and 256");
    });
}

}  // namespace plimsoll::cuda
