#pragma once
#include <cstdint>

#include "model/base/units.hpp"

namespace plimsoll {

/// What no closed system of `users` can exceed.
struct ClosedBounds {
    PerSecond highest_throughput;
    Seconds lowest_response;
    /// The number of users N* at which the two limits of the throughput meet; beyond, every user added only waits.
    double saturation_users;
};

/// Asymptotic bounds: X <= min(N / (Z + R0), Xmax), R >= max(R0, N / Xmax - Z), N* = (Z + R0) Xmax
/// (Denning and Buzen 1978; Lazowska et al. 1984, chapter 5). `lone_response` is R0, the shortest response (that of a
/// lone request where more requests never serve one of them faster), `peak_rate` is Xmax.
[[nodiscard]] ClosedBounds closed_bounds(double users, Seconds think_time, Seconds lone_response, PerSecond peak_rate);

/// Rate below which work-conserving mixed batching with a token budget is stable and above which nothing is:
/// lambda (p + o) < budget / T(budget), p and o the mean prompt and output tokens of a request and T the time of a step
/// that fills the budget (arXiv 2504.07347, theorem on a single engine; needs the batch to be able to fill the budget).
[[nodiscard]] PerSecond token_budget_bound(double budget_tokens, Seconds full_step, double prompt_tokens,
                                           double output_tokens);

/// Rate above which the KV cache is the bottleneck and no policy is stable: mu = M / (t E[g]), M the KV tokens that
/// fit, t the time of an iteration at full memory, g the KV token-iterations of a request (arXiv 2605.04595; stability
/// is proved below mu (1 - delta), where delta shrinks with the largest request's share of M).
[[nodiscard]] PerSecond kv_memory_bound(double kv_tokens, Seconds iteration, double mean_token_iterations);

/// g(s, o) of one request: KV tokens held, summed over its iterations: min(k c, s) for each prefill chunk k of c
/// tokens, then s + 1, ..., s + o while decoding (arXiv 2605.04595). Average it over the lengths, not the lengths
/// first.
[[nodiscard]] double kv_token_iterations(std::int64_t prompt_tokens, std::int64_t output_tokens,
                                         std::int64_t chunk_tokens);

/// E[g] from moments of the lengths with the whole prompt in one iteration: E[s] + E[s o] + (E[o^2] + E[o]) / 2.
[[nodiscard]] double mean_kv_token_iterations(double mean_prompt, double mean_output, double mean_output_squared,
                                              double mean_prompt_times_output);

}  // namespace plimsoll
