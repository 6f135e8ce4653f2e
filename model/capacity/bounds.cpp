#include "model/capacity/bounds.hpp"

#include <algorithm>

#include "model/base/error.hpp"

namespace plimsoll {

ClosedBounds closed_bounds(double users, Seconds think_time, Seconds lone_response, PerSecond peak_rate) {
    PLIMSOLL_ASSERT(users >= 0.0 && lone_response.value() > 0.0 && peak_rate.value() > 0.0);
    const Seconds lone_cycle = think_time + lone_response;
    return {std::min(users / lone_cycle, peak_rate), std::max(lone_response, users / peak_rate - think_time),
            lone_cycle * peak_rate};
}

PerSecond token_budget_bound(double budget_tokens, Seconds full_step, double prompt_tokens, double output_tokens) {
    PLIMSOLL_ASSERT(prompt_tokens + output_tokens > 0.0 && full_step.value() > 0.0);
    return budget_tokens / full_step / (prompt_tokens + output_tokens);
}

PerSecond kv_memory_bound(double kv_tokens, Seconds iteration, double mean_token_iterations) {
    PLIMSOLL_ASSERT(mean_token_iterations > 0.0 && iteration.value() > 0.0);
    return kv_tokens / (iteration * mean_token_iterations);
}

double kv_token_iterations(std::int64_t prompt_tokens, std::int64_t output_tokens, std::int64_t chunk_tokens) {
    PLIMSOLL_ASSERT(prompt_tokens >= 0 && output_tokens >= 0 && chunk_tokens > 0);
    const auto prompt = static_cast<double>(prompt_tokens);
    const auto output = static_cast<double>(output_tokens);
    const std::int64_t chunks = prompt_tokens / chunk_tokens;
    const auto whole_chunks = static_cast<double>(chunks);
    const double prefill = static_cast<double>(chunk_tokens) * whole_chunks * (whole_chunks + 1.0) / 2.0 +
                           (prompt_tokens % chunk_tokens != 0 ? prompt : 0.0);
    return prefill + prompt * output + output * (output + 1.0) / 2.0;
}

double mean_kv_token_iterations(double mean_prompt, double mean_output, double mean_output_squared,
                                double mean_prompt_times_output) {
    return mean_prompt + mean_prompt_times_output + (mean_output_squared + mean_output) / 2.0;
}

}  // namespace plimsoll
