#pragma once
#include <array>
#include <string_view>

#include "model/base/sourced.hpp"
#include "model/spec/slo.hpp"

namespace plimsoll {

/// What keeps a deployment from carrying more.
enum class Constraint { kv_memory, sequence_limit, ttft_wait, prefill, decode_bandwidth, compute, communication, host };
inline constexpr std::array<std::string_view, 8> constraint_names{
    "KV memory", "sequence limit", "TTFT wait", "prefill", "decode bandwidth", "compute", "communication", "host"};
[[nodiscard]] constexpr std::string_view to_string(Constraint c) {
    return constraint_names[static_cast<std::size_t>(c)];
}

/// Where one instance stands under a load.
struct Forecast {
    double users = 0;        ///< of this instance; 0 for an open load
    PerSecond offered_rate;  ///< open: arrivals; closed: what the users send
    PerSecond request_rate;  ///< completed
    double output_tokens_per_s = 0;
    double running = 0;       ///< mean requests in the batch
    double waiting = 0;       ///< mean requests before the batch
    double utilization = 0;   ///< request rate over the highest possible
    double kv_tokens = 0;     ///< mean KV tokens held
    bool overloaded = false;  ///< the load reaches or exceeds what can be served: latencies are not finite
    PerSecond shed_rate;      ///< offered beyond what can be served, when overloaded
    Latencies latencies;      ///< meaningless when overloaded
    Constraint binding = Constraint::host;
    Constraint next = Constraint::host;
};

}  // namespace plimsoll
