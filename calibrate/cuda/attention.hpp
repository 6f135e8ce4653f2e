#pragma once
#include <cstdint>
#include <string>

#include <cuda_runtime_api.h>

#include "calibrate/cuda/device.hpp"

namespace plimsoll::cuda {

/// Attention of `query` tokens of each of `batch` sequences, the last of their `kv`, causal, each group of
/// heads / kv_heads query heads sharing a KV head. Rows of q [batch x query, heads, head_dim], k and v
/// [batch x kv, kv_heads, head_dim] are `q_row` and `kv_row` elements apart; o [batch x query, heads, head_dim] is
/// dense. 16-byte aligned, fp16 or bf16.
struct PrefillArguments {
    const void* q = nullptr;
    const void* k = nullptr;
    const void* v = nullptr;
    void* o = nullptr;
    int batch = 0, query = 0, kv = 0, heads = 0, kv_heads = 0, head_dim = 0;
    std::int64_t q_row = 0, kv_row = 0;
};
/// Throws std::runtime_error for a head dimension but 64, 128 and 256 or a device without the instructions.
void attention_prefill(Dtype dtype, const PrefillArguments& arguments, cudaStream_t stream);

/// The same by products of warpgroups (Hopper), where the device, the build and the head dimension allow it; throws
/// std::runtime_error elsewhere.
void attention_prefill_by_groups(Dtype dtype, const PrefillArguments& arguments, cudaStream_t stream);
[[nodiscard]] bool prefill_by_groups_exists(int head_dim);

/// The kernel that this device's prompts are computed by: "wgmma" (attention_prefill_by_groups), where it exists, was
/// not forbidden and has computed a first prompt as double precision does, else "mma".
[[nodiscard]] std::string prefill_path(Dtype dtype, int head_dim);
/// From now on "mma" it is.
void forbid_prefill_by_groups();
/// The kernel of a path; throws std::runtime_error for another name.
void attention_prefill_of(const std::string& path, Dtype dtype, const PrefillArguments& arguments, cudaStream_t stream);

/// Attention of one token of each of `batch` sequences over `kv` tokens of its paged cache, these included. Page p of
/// k_pages and v_pages is [page_tokens, kv_heads, head_dim]; token t of sequence s lies in page
/// table[s x pages_per_sequence + t / page_tokens]. q rows are `q_row` elements apart, o is dense [batch, heads,
/// head_dim].
struct DecodeArguments {
    const void* q = nullptr;
    const void* k_pages = nullptr;
    const void* v_pages = nullptr;
    void* o = nullptr;
    const std::int32_t* table = nullptr;
    float* partial = nullptr;  ///< scratch of decode_scratch_floats()
    int batch = 0, kv = 0, heads = 0, kv_heads = 0, head_dim = 0;
    int page_tokens = 16, pages_per_sequence = 0;
    std::int64_t q_row = 0;
};
/// Parts in which a sequence's cache is read side by side.
[[nodiscard]] int decode_splits(Dtype dtype, const DecodeArguments& arguments);
[[nodiscard]] std::size_t decode_scratch_floats(const DecodeArguments& arguments, int splits);
/// Throws like attention_prefill, and unless page_tokens is a multiple of 16.
void attention_decode(Dtype dtype, const DecodeArguments& arguments, int splits, cudaStream_t stream);

/// The arguments above in one form for the reference; `table` null: k and v are dense as for the prefill.
struct AttentionOutput {
    Dtype dtype = Dtype::fp16;
    PrefillArguments dense;
    const std::int32_t* table = nullptr;
    int page_tokens = 0, pages_per_sequence = 0;
};
/// Deviation of `samples` rows (token and head) of o, the first and the last among them, from double precision.
[[nodiscard]] double attention_deviation(const AttentionOutput& output, int samples, std::uint64_t seed);
/// Deviation that rounding of the probabilities and of the output explains.
[[nodiscard]] double attention_tolerance(Dtype dtype);

}  // namespace plimsoll::cuda
