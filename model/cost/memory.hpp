#pragma once
#include <optional>

#include "model/base/error.hpp"
#include "model/cost/architecture.hpp"
#include "model/spec/deployment.hpp"
#include "model/spec/load.hpp"

namespace plimsoll {

/// Where the memory of the fullest GPU of an instance goes.
struct MemoryBudget {
    Bytes usable;  ///< the engine's share of what the driver reports
    Bytes weights, activations, workspace, graphs, framework, communication;
    Bytes kv;              ///< what is left for the KV cache; negative when it does not fit
    double kv_tokens = 0;  ///< tokens that the instance can hold, whole blocks, watermark kept free
    Bytes kv_per_token;    ///< on this GPU
    Bytes kv_least;        ///< what the smallest cache takes: one block beside those kept free
    Bytes deviation;       ///< standard deviation of `kv`: what the account may be off by

    [[nodiscard]] Bytes fixed() const { return weights + activations + workspace + graphs + framework + communication; }
    /// Why it does not fit, and by how much, if so.
    [[nodiscard]] std::optional<Infeasible> refusal(const Gpu& gpu) const;
};

[[nodiscard]] MemoryBudget memory_budget(const Architecture& architecture, const Deployment& deployment);
/// The budget of the same deployment if the KV cache had `more` bytes than the account says.
[[nodiscard]] MemoryBudget with_more_kv(MemoryBudget budget, const Engine& engine, Bytes more);

/// KV tokens that a request holds on average while it runs, and at the most, in whole blocks.
struct KvDemand {
    double mean = 0;  ///< tokens; over a request's life, weighted by its length
    double peak = 0;  ///< tokens of one request at its end (mean over requests)
};

/// From the engine's reservation rule and the lengths, where p and o are independent and long outputs are seen more
/// often among running requests. With paging p + j tokens are held in the j-th of o steps: E[p] + E[o^2] / (2 E[o]) +
/// 1/2 in the mean. A full reservation holds p + o all along: E[p] + E[o^2] / E[o], or E[p] + what clients ask. The
/// last block is empty to (block - 1) / 2 tokens in the mean.
[[nodiscard]] KvDemand kv_demand(const Engine& engine, const Workload& workload);

/// Requests that run at the same time at the most: by memory and by the engine's limits.
[[nodiscard]] double largest_batch(const MemoryBudget& budget, const Deployment& deployment, const Workload& workload);

}  // namespace plimsoll
