#include "simulator/scheduler.hpp"

namespace plimsoll {

std::optional<std::string> budget_below_sequences(const SchedulerSettings& settings) {
    if (settings.max_step_tokens >= settings.max_sequences) return std::nullopt;
    return "the token budget of a step (" + std::to_string(settings.max_step_tokens) +
           ") must be at least the number of sequences (" + std::to_string(settings.max_sequences) + ")";
}

}  // namespace plimsoll
