#include <map>
#include <stdexcept>
#include <utility>

#include "calibrate/cuda/attention.hpp"

namespace plimsoll::cuda {
namespace {

bool forbidden = false;

/// Two prompts with a context before them, of partial tiles.
bool computes_a_prompt(Dtype dtype, int head_dim) {
    constexpr int batch = 2, query = 200, kv = 456, heads = 4, kv_heads = 2, samples = 64;
    const auto values = [&](int tokens, int of_heads) {
        return static_cast<std::size_t>(batch * tokens * of_heads * head_dim);
    };
    const DeviceMemory q = random_values(dtype, values(query, heads), 1, 2.0F);
    const DeviceMemory k = random_values(dtype, values(kv, kv_heads), 2, 2.0F);
    const DeviceMemory v = random_values(dtype, values(kv, kv_heads), 3);
    const DeviceMemory o(values(query, heads) * size_of(dtype));
    poison(o);
    AttentionOutput output;
    output.dtype = dtype;
    output.dense = {q.as(), k.as(), v.as(), o.as(), batch, query, kv, heads, kv_heads, head_dim, 0, 0};
    output.dense.q_row = heads * head_dim;
    output.dense.kv_row = kv_heads * head_dim;
    attention_prefill_by_groups(dtype, output.dense, nullptr);
    check(cudaDeviceSynchronize(), "prefill attention by warpgroups");
    return attention_deviation(output, samples, 4) <= attention_tolerance(dtype);
}

}  // namespace

std::string prefill_path(Dtype dtype, int head_dim) {
    if (forbidden || !prefill_by_groups_exists(head_dim)) return "mma";
    static std::map<std::pair<Dtype, int>, bool> known;
    const auto [found, is_new] = known.try_emplace({dtype, head_dim}, false);
    if (is_new) found->second = computes_a_prompt(dtype, head_dim);
    return found->second ? "wgmma" : "mma";
}

void forbid_prefill_by_groups() {
    forbidden = true;
}

void attention_prefill_of(const std::string& path, Dtype dtype, const PrefillArguments& a, cudaStream_t stream) {
    if (path == "wgmma") return attention_prefill_by_groups(dtype, a, stream);
    if (path == "mma") return attention_prefill(dtype, a, stream);
    throw std::runtime_error("unknown prefill attention '" + path + "'; known: mma, wgmma");
}

}  // namespace plimsoll::cuda
