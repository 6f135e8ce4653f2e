#include <algorithm>
#include <stdexcept>

#include "calibrate/cuda/attention.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/mma.cuh"

namespace plimsoll::cuda {
namespace {

constexpr float minus_infinity = -__builtin_huge_valf();
constexpr int warps = 2, threads = 32 * warps;
constexpr int tile_tokens = 16;  // of the cache that a warp takes at a time
constexpr int most_parts = 128;  // of a sequence's cache
constexpr int row_heads = 16;    // query heads of one group side by side in a tile, padded with zeros

template <int HeadDim>
struct Tiling {
    static constexpr int stages = HeadDim == 256 ? 3 : 4;  // tiles under way: enough bytes in flight to fill the memory
    static constexpr int chunks = HeadDim / 8;
    static constexpr int depth_steps = HeadDim / 16;
    static constexpr int output_tiles = HeadDim / 8;
    static constexpr int tile_chunks = tile_tokens * chunks;
    static constexpr int warp_chunks = 2 * stages * tile_chunks;  // keys and values
    static constexpr int shared_bytes = warps * warp_chunks * 16;
};

/// Tokens of the cache from `first` on that one block reads, in tiles dealt out to its warps in turn.
struct Part {
    int first, tiles;  ///< token; number of tiles
};

__device__ Part part_of(int kv, int split, int splits) {
    const int tiles = (kv + tile_tokens - 1) / tile_tokens;
    const int begin = static_cast<int>(std::int64_t{tiles} * split / splits);
    const int end = static_cast<int>(std::int64_t{tiles} * (split + 1) / splits);
    return {begin * tile_tokens, end - begin};
}

/// One warp's walk over its tiles of the cache.
template <class T, int HeadDim>
struct Walk {
    using Tile = Tiling<HeadDim>;
    const DecodeArguments& a;
    const std::int32_t* table;
    uint4* shared;  // of this warp: [stage][keys, values][token][chunk]
    int kv_head, lane, warp;
    Part part;
    std::int32_t pages = 0;  // of the warp's next 32 tiles, one in each lane

    [[nodiscard]] __device__ int tiles() const { return (part.tiles - warp + warps - 1) / warps; }
    [[nodiscard]] __device__ int token(int tile) const { return part.first + (tile * warps + warp) * tile_tokens; }

    __device__ void look_up(int tile) {
        const int mine = tile + lane;
        pages = mine < tiles() ? table[token(mine) / a.page_tokens] : 0;
    }

    /// Asks for a tile; called for 0, 1, 2 ... in turn, also past the last, by all lanes.
    __device__ void fetch(int tile) {
        if (tile % 32 == 0) look_up(tile);
        const std::int32_t page = __shfl_sync(0xffffffffU, pages, tile % 32);
        if (tile < tiles()) {
            const int first = token(tile);
            const std::int64_t row_stride = std::int64_t{a.kv_heads} * HeadDim;
            const std::int64_t offset =
                (std::int64_t{page} * a.page_tokens + first % a.page_tokens) * row_stride + kv_head * HeadDim;
            uint4* const keys = shared + tile % Tile::stages * 2 * Tile::tile_chunks;
            copy(keys, static_cast<const T*>(a.k_pages) + offset, row_stride, a.kv - first);
            copy(keys + Tile::tile_chunks, static_cast<const T*>(a.v_pages) + offset, row_stride, a.kv - first);
        }
        commit_copies();
    }

    __device__ void copy(uint4* to, const T* from, std::int64_t row_stride, int present) const {
        constexpr int rows_at_once = 32 / Tile::chunks;
        const int chunk = lane % Tile::chunks;
        int row = lane / Tile::chunks;
        from += row * row_stride + chunk * 8;
#pragma unroll
        for (int i = 0; i < tile_tokens / rows_at_once; ++i) {
            copy_16(to + swizzled_chunk(row, chunk, Tile::chunks), from, row < present);
            row += rows_at_once;
            from += rows_at_once * row_stride;
        }
    }
};

/// Weighted sum of the values and the running softmax of a warp, two rows (lane / 4 and 8 below) a thread.
template <int HeadDim>
struct Sums {
    float output[Tiling<HeadDim>::output_tiles][4] = {};
    float maximum[2] = {minus_infinity, minus_infinity};
    float sum[2] = {};
};

/// The query heads of the group as left operands, zeros past the last.
template <class T, int HeadDim>
__device__ void load_queries(std::uint32_t (&q)[Tiling<HeadDim>::depth_steps][4], const T* heads, int present,
                             int lane) {
#pragma unroll
    for (int step = 0; step < Tiling<HeadDim>::depth_steps; ++step)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            // Registers 0..3: (rows 0-7, columns 0-7), (8-15, 0-7), (0-7, 8-15), (8-15, 8-15).
            const int row = lane / 4 + i % 2 * 8, column = step * 16 + i / 2 * 8 + lane % 4 * 2;
            q[step][i] = row < present ? *reinterpret_cast<const std::uint32_t*>(heads + row * HeadDim + column) : 0;
        }
}

template <class T, int HeadDim>
__device__ void attend(Sums<HeadDim>& sums, const std::uint32_t (&q)[Tiling<HeadDim>::depth_steps][4],
                       const uint4* keys, int present, float scale, int lane) {
    using Tile = Tiling<HeadDim>;
    const TilePosition by_key = columns_first(lane), by_value = rows_first(lane);
    float scores[2][4] = {};
#pragma unroll
    for (int step = 0; step < Tile::depth_steps; ++step) {
        std::uint32_t b[4];
        load_tiles(b, keys + swizzled_chunk(by_key.row, step * 2 + by_key.column, Tile::chunks));
        multiply_add(scores[0], q[step], b[0], b[1], T{});
        multiply_add(scores[1], q[step], b[2], b[3], T{});
    }
    if (present < tile_tokens) {
#pragma unroll
        for (int c = 0; c < 2; ++c)
#pragma unroll
            for (int e = 0; e < 4; ++e)
                if (c * 8 + result_position(lane, e).column >= present) scores[c][e] = minus_infinity;
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float first = fmaxf(scores[0][2 * half], scores[0][2 * half + 1]);
        const float second = fmaxf(scores[1][2 * half], scores[1][2 * half + 1]);
        const float highest = fmaxf(sums.maximum[half], row_maximum(fmaxf(first, second)));
        const float shrink = power_of_two((sums.maximum[half] - highest) * scale);
        sums.maximum[half] = highest;
        sums.sum[half] *= shrink;
#pragma unroll
        for (int c = 0; c < 2; ++c)
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; ++e) {
                scores[c][e] = power_of_two((scores[c][e] - highest) * scale);
                sums.sum[half] += scores[c][e];
            }
#pragma unroll
        for (int c = 0; c < Tile::output_tiles; ++c) {
            sums.output[c][2 * half] *= shrink;
            sums.output[c][2 * half + 1] *= shrink;
        }
    }
    std::uint32_t weights[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) weights[i] = pack(scores[i / 2][2 * (i % 2)], scores[i / 2][2 * (i % 2) + 1], T{});
    const uint4* const values = keys + Tile::tile_chunks;
#pragma unroll
    for (int c = 0; c < Tile::output_tiles; c += 2) {
        std::uint32_t b[4];
        load_tiles_transposed(b, values + swizzled_chunk(by_value.row, c + by_value.column, Tile::chunks));
        multiply_add(sums.output[c], weights, b[0], b[1], T{});
        multiply_add(sums.output[c + 1], weights, b[2], b[3], T{});
    }
}

/// What the warps of a block found, put together: output [row][head_dim] in `merged`, undivided, and for each row the
/// maximum and the sum. All of it lies in the shared memory that the tiles had.
template <int HeadDim>
struct Merged {
    float* output;   // [warps][row_heads][HeadDim]
    float* maximum;  // [warps][row_heads]
    float* sum;      // [warps][row_heads]

    __device__ explicit Merged(uint4* shared) : output(reinterpret_cast<float*>(shared)) {
        static_assert(warps * row_heads * (HeadDim + 2) * 4 <= Tiling<HeadDim>::shared_bytes);
        maximum = output + warps * row_heads * HeadDim;
        sum = maximum + warps * row_heads;
    }

    __device__ void put(const Sums<HeadDim>& sums, int warp, int lane) const {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int row = warp * row_heads + result_position(lane, 2 * half).row;
            const float whole = row_sum(sums.sum[half]);
            if (lane % 4 == 0) {
                maximum[row] = sums.maximum[half];
                sum[row] = whole;
            }
#pragma unroll
            for (int c = 0; c < Tiling<HeadDim>::output_tiles; ++c) {
                float* const to = output + row * HeadDim + c * 8 + result_position(lane, 0).column;
                to[0] = sums.output[c][2 * half];
                to[1] = sums.output[c][2 * half + 1];
            }
        }
    }
};

/// Grid: splits, KV heads x row groups, sequences. Partial results are [batch, heads, splits, HeadDim + 2]: the divided
/// output, its maximum and its sum (flash decoding: Dao and others, 2023).
template <class T, int HeadDim>
__global__ void __launch_bounds__(threads) decode(DecodeArguments a, float scale) {
    using Tile = Tiling<HeadDim>;
    uint4* const shared = dynamic_shared();
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int split = static_cast<int>(blockIdx.x), splits = static_cast<int>(gridDim.x);
    const int group = a.heads / a.kv_heads, row_groups = (group + row_heads - 1) / row_heads;
    const int kv_head = static_cast<int>(blockIdx.y) / row_groups;
    const int row_group = static_cast<int>(blockIdx.y) % row_groups;
    const int head = kv_head * group + row_group * row_heads;
    const int present = min(row_heads, group - row_group * row_heads);
    const int sequence = static_cast<int>(blockIdx.z);

    Walk<T, HeadDim> walk{a,
                          a.table + std::int64_t{sequence} * a.pages_per_sequence,
                          shared + warp * Tile::warp_chunks,
                          kv_head,
                          lane,
                          warp,
                          part_of(a.kv, split, splits)};
    for (int tile = 0; tile < Tile::stages - 1; ++tile) walk.fetch(tile);

    std::uint32_t q[Tile::depth_steps][4];
    load_queries<T, HeadDim>(q, static_cast<const T*>(a.q) + sequence * a.q_row + head * HeadDim, present, lane);
    Sums<HeadDim> sums;
    const int tiles = walk.tiles();
    for (int tile = 0; tile < tiles; ++tile) {
        wait_copies<Tile::stages - 2>();
        __syncwarp();  // every lane's copies are there, and all are done with the stage that is fetched next
        walk.fetch(tile + Tile::stages - 1);
        attend<T, HeadDim>(sums, q, walk.shared + tile % Tile::stages * 2 * Tile::tile_chunks, a.kv - walk.token(tile),
                           scale, lane);
    }
    wait_copies<0>();
    __syncthreads();  // the tiles have been read: their place is taken by the results
    const Merged<HeadDim> merged(shared);
    merged.put(sums, warp, lane);
    __syncthreads();

    for (int index = static_cast<int>(threadIdx.x); index < present * HeadDim; index += threads) {
        const int row = index / HeadDim, column = index % HeadDim;
        float highest = minus_infinity;
        for (int w = 0; w < warps; ++w) highest = fmaxf(highest, merged.maximum[w * row_heads + row]);
        float output = 0, sum = 0;
        for (int w = 0; w < warps; ++w) {
            const int at = w * row_heads + row;
            // A warp without a tile has no maximum, and a sum of 0.
            const float weight = merged.sum[at] > 0 ? power_of_two((merged.maximum[at] - highest) * scale) : 0.0F;
            output += weight * merged.output[at * HeadDim + column];
            sum += weight * merged.sum[at];
        }
        const std::int64_t row_of_all = std::int64_t{sequence} * a.heads + head + row;
        if (splits == 1) {
            static_cast<T*>(a.o)[row_of_all * HeadDim + column] = from_float<T>(output / sum);
            continue;
        }
        float* const partial = a.partial + (row_of_all * splits + split) * (HeadDim + 2);
        partial[column] = sum > 0 ? output / sum : 0.0F;  // a part without a tile weighs nothing
        if (column == 0) {
            partial[HeadDim] = highest;
            partial[HeadDim + 1] = sum;
        }
    }
}

/// One block a sequence and head, one thread an element of the head. The parts' maxima and sums are read side by side:
/// one after another, their latencies would outlast the attention itself.
template <class T, int HeadDim>
__global__ void __launch_bounds__(HeadDim) combine(const float* partial, T* o, int splits, float scale) {
    __shared__ float maxima[most_parts], weights[most_parts];
    const int element = static_cast<int>(threadIdx.x);
    const std::int64_t row = blockIdx.x;
    const float* const parts = partial + row * splits * (HeadDim + 2);
    for (int s = element; s < splits; s += HeadDim) maxima[s] = parts[s * (HeadDim + 2) + HeadDim];
    __syncthreads();
    float highest = minus_infinity;
    for (int s = 0; s < splits; ++s) highest = fmaxf(highest, maxima[s]);
    for (int s = element; s < splits; s += HeadDim)
        weights[s] = parts[s * (HeadDim + 2) + HeadDim + 1] * power_of_two((maxima[s] - highest) * scale);
    __syncthreads();
    float output = 0, sum = 0;
#pragma unroll 8
    for (int s = 0; s < splits; ++s) {
        output += weights[s] * parts[s * (HeadDim + 2) + element];
        sum += weights[s];
    }
    o[row * HeadDim + element] = from_float<T>(output / sum);
}

template <class T, int HeadDim>
void allow_shared_memory() {
    const std::size_t needed = Tiling<HeadDim>::shared_bytes;
    if (needed > device_limits().shared_bytes_per_block)
        throw std::runtime_error("decode attention with head dimension " + std::to_string(HeadDim) + " needs " +
                                 std::to_string(needed) + " bytes of shared memory");
    static const cudaError_t allowed = cudaFuncSetAttribute(
        decode<T, HeadDim>, cudaFuncAttributeMaxDynamicSharedMemorySize, Tiling<HeadDim>::shared_bytes);
    check(allowed, "shared memory");
}

int row_groups(const DecodeArguments& a) {
    return (a.heads / a.kv_heads + row_heads - 1) / row_heads;
}

/// The fewest parts with which the last wave of blocks leaves at most a tenth more of the device idle than the best
/// number of parts does; a part has at least four tiles a warp.
template <class T, int HeadDim>
int splits_for(const DecodeArguments& a) {
    allow_shared_memory<T, HeadDim>();
    int blocks = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, decode<T, HeadDim>, threads,
                                                        Tiling<HeadDim>::shared_bytes),
          "occupancy");
    const int slots = std::max(1, blocks) * device_limits().multiprocessors;
    const int rows = a.batch * a.kv_heads * row_groups(a);
    const int most = std::clamp(a.kv / (4 * warps * tile_tokens), 1, most_parts);
    const auto filled = [&](int splits) {
        const int waves = (rows * splits + slots - 1) / slots;
        return static_cast<double>(rows) * splits / (static_cast<double>(waves) * slots);
    };
    double best = 0;
    for (int splits = 1; splits <= most; ++splits) best = std::max(best, filled(splits));
    int splits = 1;
    while (splits < most && filled(splits) < 0.9 * best) ++splits;
    return splits;
}

template <class T, int HeadDim>
void launch(const DecodeArguments& a, int splits, cudaStream_t stream) {
    allow_shared_memory<T, HeadDim>();
    if (splits < 1 || splits > most_parts) throw std::runtime_error("a cache is read in 1 to 128 parts");
    const dim3 grid(static_cast<unsigned>(splits), static_cast<unsigned>(a.kv_heads * row_groups(a)),
                    static_cast<unsigned>(a.batch));
    const float scale = 1.4426950408889634F / sqrtf(static_cast<float>(HeadDim));
    start_kernel(decode<T, HeadDim>, {grid, threads, Tiling<HeadDim>::shared_bytes, stream}, a, scale);
    check_launch("decode attention");
    if (splits == 1) return;
    start_kernel(combine<T, HeadDim>, {static_cast<unsigned>(a.batch * a.heads), HeadDim, 0, stream}, a.partial,
                 static_cast<T*>(a.o), splits, scale);
    check_launch("decode attention, combination");
}

template <class Call>
void with_kernel(Dtype dtype, const DecodeArguments& a, Call&& call) {
    require_capability(dtype == Dtype::bf16 ? 80 : 75, "decode attention by tensor cores");
    if (a.page_tokens % tile_tokens != 0) throw std::runtime_error("a page must hold a multiple of 16 tokens");
    with_16_bit(dtype, [&]<class T>(T value) {
        if (a.head_dim == 64)
            call.template operator()<64>(value);
        else if (a.head_dim == 128)
            call.template operator()<128>(value);
        else if (a.head_dim == 256)
            call.template operator()<256>(value);
        else
            throw std::runtime_error("attention exists for head dimensions 64, 128 and 256");
    });
}

}  // namespace

int decode_splits(Dtype dtype, const DecodeArguments& a) {
    int splits = 1;
    with_kernel(dtype, a, [&]<int HeadDim, class T>(T) { splits = splits_for<T, HeadDim>(a); });
    return splits;
}

std::size_t decode_scratch_floats(const DecodeArguments& a, int splits) {
    return static_cast<std::size_t>(a.batch) * static_cast<std::size_t>(a.heads) * static_cast<std::size_t>(splits) *
           static_cast<std::size_t>(a.head_dim + 2);
}

void attention_decode(Dtype dtype, const DecodeArguments& a, int splits, cudaStream_t stream) {
    with_kernel(dtype, a, [&]<int HeadDim, class T>(T) { launch<T, HeadDim>(a, splits, stream); });
}

}  // namespace plimsoll::cuda
