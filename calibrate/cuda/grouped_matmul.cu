#include <stdexcept>

#include "calibrate/cuda/grouped_matmul.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/mma.cuh"

namespace plimsoll::cuda {
namespace {

constexpr int warps = 4, threads = 32 * warps;
constexpr int columns = 128, depth = 64, chunks = depth / 8, stages = 3;
constexpr int warps_across = 2, warp_columns = columns / warps_across;

/// A block computes Rows x 128 entries, each of its 2 x 2 warps a quarter of them, 64 of the depth at a time.
template <int Rows>
struct Tiling {
    static constexpr int warp_rows = Rows / (warps / warps_across);
    static constexpr int row_tiles = warp_rows / 16, column_tiles = warp_columns / 8;
    static constexpr int stage_chunks = (Rows + columns) * chunks;
    static constexpr int shared_bytes = stages * stage_chunks * 16;
};

/// The rows that one thread copies into every stage.
template <class T, int Rows>
struct Loader {
    static constexpr int rows_at_once = threads / chunks;
    const T* left[Rows / rows_at_once];
    const T* right[columns / rows_at_once];
    bool left_present[Rows / rows_at_once], right_present[columns / rows_at_once];
    int row, chunk;

    __device__ Loader(const GroupedMatmul& a, const ExpertTile& tile, std::int64_t first_column)
        : row(static_cast<int>(threadIdx.x) / chunks), chunk(static_cast<int>(threadIdx.x) % chunks) {
#pragma unroll
        for (int i = 0; i < Rows / rows_at_once; ++i) {
            const int at = row + i * rows_at_once;
            left_present[i] = at < tile.rows;
            const std::int64_t sorted = tile.first_row + (left_present[i] ? at : 0);
            const std::int64_t from = a.source == nullptr ? sorted : a.source[sorted];
            left[i] = static_cast<const T*>(a.x) + from * a.k + chunk * 8;
        }
#pragma unroll
        for (int i = 0; i < columns / rows_at_once; ++i) {
            const std::int64_t at = first_column + row + i * rows_at_once;
            right_present[i] = at < a.n;
            right[i] = static_cast<const T*>(a.w) + (tile.expert * a.n + (right_present[i] ? at : 0)) * a.k + chunk * 8;
        }
    }

    __device__ void fetch(uint4* stage, std::int64_t first_depth) const {
#pragma unroll
        for (int i = 0; i < Rows / rows_at_once; ++i)
            copy_16(stage + swizzled_chunk(row + i * rows_at_once, chunk, chunks), left[i] + first_depth,
                    left_present[i]);
#pragma unroll
        for (int i = 0; i < columns / rows_at_once; ++i)
            copy_16(stage + Rows * chunks + swizzled_chunk(row + i * rows_at_once, chunk, chunks),
                    right[i] + first_depth, right_present[i]);
    }
};

template <class T, int Rows>
__device__ void multiply(float (&sums)[Tiling<Rows>::row_tiles][Tiling<Rows>::column_tiles][4], const uint4* left,
                         const uint4* right, int lane) {
    const TilePosition of_left = rows_first(lane), of_right = columns_first(lane);
#pragma unroll
    for (int step = 0; step < depth / 16; ++step) {
        std::uint32_t a[Tiling<Rows>::row_tiles][4];
#pragma unroll
        for (int r = 0; r < Tiling<Rows>::row_tiles; ++r)
            load_tiles(a[r], left + swizzled_chunk(r * 16 + of_left.row, step * 2 + of_left.column, chunks));
#pragma unroll
        for (int c = 0; c < Tiling<Rows>::column_tiles; c += 2) {
            std::uint32_t b[4];
            load_tiles(b, right + swizzled_chunk(c * 8 + of_right.row, step * 2 + of_right.column, chunks));
#pragma unroll
            for (int r = 0; r < Tiling<Rows>::row_tiles; ++r) {
                multiply_add(sums[r][c], a[r], b[0], b[1], T{});
                multiply_add(sums[r][c + 1], a[r], b[2], b[3], T{});
            }
        }
    }
}

/// Tile and column block of a block number: eight tiles go through the columns together, so that what they read of the
/// weights and of the rows is still in the cache.
struct Place {
    int tile, column_block;
};
__device__ Place place_of(int number, int tiles, int column_blocks) {
    constexpr int together = 8;
    const int group = number / (together * column_blocks), within = number % (together * column_blocks);
    const int size = min(together, tiles - group * together);
    return {group * together + within % size, within / size};
}

template <class T, int Rows>
__global__ void __launch_bounds__(threads) product(GroupedMatmul a) {
    using Tile = Tiling<Rows>;
    uint4* const shared = dynamic_shared();
    const auto column_blocks = static_cast<int>((a.n + columns - 1) / columns);
    const Place place = place_of(static_cast<int>(blockIdx.x), a.tile_count, column_blocks);
    const ExpertTile tile = a.tiles[place.tile];
    const std::int64_t first_column = std::int64_t{place.column_block} * columns;
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int warp_row = warp / warps_across * Tile::warp_rows, warp_column = warp % warps_across * warp_columns;
    const Loader<T, Rows> loader(a, tile, first_column);
    const int steps = static_cast<int>(a.k / depth);

    for (int step = 0; step < stages - 1; ++step) {
        if (step < steps) loader.fetch(shared + step * Tile::stage_chunks, std::int64_t{step} * depth);
        commit_copies();
    }
    float sums[Tile::row_tiles][Tile::column_tiles][4] = {};
    for (int step = 0; step < steps; ++step) {
        wait_copies<stages - 2>();
        __syncthreads();  // the stage is there; all warps are done with the one that is fetched next
        const int next = step + stages - 1;
        if (next < steps) loader.fetch(shared + next % stages * Tile::stage_chunks, std::int64_t{next} * depth);
        commit_copies();
        const uint4* const stage = shared + step % stages * Tile::stage_chunks;
        multiply<T, Rows>(sums, stage + warp_row * chunks, stage + (Rows + warp_column) * chunks, lane);
    }
#pragma unroll
    for (int r = 0; r < Tile::row_tiles; ++r)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const TilePosition at = result_position(lane, 2 * half);
            const int row = warp_row + r * 16 + at.row;
            if (row >= tile.rows) continue;
            T* const out = static_cast<T*>(a.out) + (tile.first_row + row) * a.n;
#pragma unroll
            for (int c = 0; c < Tile::column_tiles; ++c) {
                const std::int64_t column = first_column + warp_column + c * 8 + at.column;
                if (column < a.n)
                    *reinterpret_cast<std::uint32_t*>(out + column) =
                        pack(sums[r][c][2 * half], sums[r][c][2 * half + 1], T{});
            }
        }
}

/// One block a token, each thread every blockDim-th pair of elements.
template <class T>
__global__ void sum_experts(ExpertSum a) {
    const std::int64_t token = blockIdx.x;
    const auto* const x = static_cast<const std::uint32_t*>(a.x);
    auto* const y = static_cast<std::uint32_t*>(a.y);
    for (std::int64_t pair = threadIdx.x; pair < a.width / 2; pair += blockDim.x) {
        float low = 0, high = 0;
        for (int j = 0; j < a.top_k; ++j) {
            const std::uint32_t both = x[a.row[token * a.top_k + j] * (a.width / 2) + pair];
            const T* const values = reinterpret_cast<const T*>(&both);
            const float weight = a.weight[token * a.top_k + j];
            low += weight * to_float(values[0]);
            high += weight * to_float(values[1]);
        }
        y[token * (a.width / 2) + pair] = pack(low, high, T{});
    }
}

constexpr std::uint64_t seed = 8;

/// One warp a sample.
template <class T>
__global__ void sampled_products(GroupedMatmul a, const std::int32_t* expert, std::int64_t rows, double* values,
                                 double* references) {
    const int sample = blockIdx.x;
    const auto row = static_cast<std::int64_t>(hashed(seed, 2 * sample) % static_cast<std::uint64_t>(rows));
    const auto column = static_cast<std::int64_t>(hashed(seed, 2 * sample + 1) % static_cast<std::uint64_t>(a.n));
    const T* const x = static_cast<const T*>(a.x) + (a.source == nullptr ? row : a.source[row]) * a.k;
    const T* const w = static_cast<const T*>(a.w) + (expert[row] * a.n + column) * a.k;
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < a.k; i += 32) sum += to_double(x[i]) * to_double(w[i]);
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, distance);
    if (threadIdx.x != 0) return;
    values[sample] = to_double(static_cast<const T*>(a.out)[row * a.n + column]);
    references[sample] = sum;
}

template <class T>
__global__ void sampled_sums(ExpertSum a, double* values, double* references) {
    const int sample = blockIdx.x;
    const auto token = static_cast<std::int64_t>(hashed(seed, 2 * sample) % static_cast<std::uint64_t>(a.tokens));
    const auto column = static_cast<std::int64_t>(hashed(seed, 2 * sample + 1) % static_cast<std::uint64_t>(a.width));
    double sum = 0;
    for (int j = 0; j < a.top_k; ++j)
        sum += static_cast<double>(a.weight[token * a.top_k + j]) *
               to_double(static_cast<const T*>(a.x)[a.row[token * a.top_k + j] * a.width + column]);
    values[sample] = to_double(static_cast<const T*>(a.y)[token * a.width + column]);
    references[sample] = sum;
}

template <class T, int Rows>
void launch(const GroupedMatmul& a, cudaStream_t stream) {
    static const cudaError_t allowed =
        cudaFuncSetAttribute(product<T, Rows>, cudaFuncAttributeMaxDynamicSharedMemorySize, Tiling<Rows>::shared_bytes);
    check(allowed, "shared memory");
    const auto blocks = static_cast<unsigned>((a.n + columns - 1) / columns * a.tile_count);
    start_kernel(product<T, Rows>, {blocks, threads, Tiling<Rows>::shared_bytes, stream}, a);
    check_launch("grouped product");
}

template <class Kernel>
double deviation_of(int samples, Kernel&& kernel) {
    const auto count = static_cast<std::size_t>(samples);
    const DeviceMemory values(count * sizeof(double)), references(count * sizeof(double));
    kernel(values.as<double>(), references.as<double>());
    check_launch("samples in double precision");
    return relative_deviation(to_host<double>(values.as(), count), to_host<double>(references.as(), count));
}

}  // namespace

void grouped_matmul(Dtype dtype, const GroupedMatmul& a, cudaStream_t stream) {
    require_capability(80, "the grouped product");
    if (a.k % depth != 0 || a.n % 8 != 0) throw std::runtime_error("a grouped product takes k by 64 and n by 8");
    with_16_bit(dtype, [&]<class T>(T) {
        if (a.tile_rows == 64)
            launch<T, 64>(a, stream);
        else if (a.tile_rows == 128)
            launch<T, 128>(a, stream);
        else
            throw std::runtime_error("a grouped product has tiles of 64 or 128 rows");
    });
}

void expert_sum(Dtype dtype, const ExpertSum& a, cudaStream_t stream) {
    with_16_bit(dtype, [&]<class T>(T) {
        start_kernel(sum_experts<T>, {static_cast<unsigned>(a.tokens), 256, 0, stream}, a);
    });
    check_launch("sum over experts");
}

double grouped_deviation(Dtype dtype, const GroupedMatmul& a, const std::int32_t* expert, std::int64_t rows,
                         int samples) {
    return deviation_of(samples, [&](double* values, double* references) {
        with_16_bit(dtype, [&]<class T>(T) {
            start_kernel(sampled_products<T>, {samples, 32}, a, expert, rows, values, references);
        });
    });
}

double expert_sum_deviation(Dtype dtype, const ExpertSum& a, int samples) {
    return deviation_of(samples, [&](double* values, double* references) {
        with_16_bit(dtype, [&]<class T>(T) { start_kernel(sampled_sums<T>, {samples, 1}, a, values, references); });
    });
}

}  // namespace plimsoll::cuda
