#pragma once
#include <optional>
#include <string>
#include <vector>

#include "model/base/units.hpp"
#include "model/spec/distribution.hpp"

namespace plimsoll {

/// What one request looks like.
struct Workload {
    std::string name;
    std::vector<std::string> aliases;
    std::string description;
    Distribution prompt;  ///< tokens
    Distribution output;  ///< tokens, the first one included
    /// Tokens that the server sees for each prompt token that the workload's source printed (`validate` alone uses it).
    double printed_prompt_scale = 1.0;

    /// Mean of prompt + output.
    [[nodiscard]] double mean_tokens() const { return prompt.mean() + output.mean(); }
};

/// A benchmark run of finite length: all users start within `ramp` and drain a shared queue of `requests`.
struct Drain {
    int requests = 0;
    Seconds ramp;
};

/// Who sends the requests: a population of users that think between their requests, or a stream with a rate.
struct Load {
    enum class Kind { closed, open };
    Kind kind = Kind::closed;
    double registered_users = 0;  ///< closed
    double active_share = 1.0;    ///< of the registered users, at the same time
    double peak_factor = 1.0;     ///< peak over the mean of active users, or of the rate
    Distribution think_time;      ///< seconds, closed
    PerSecond rate;               ///< open
    std::optional<Drain> drain;   ///< absent: steady state

    /// Users that are thinking or waiting for an answer at the peak (closed).
    [[nodiscard]] double concurrent_users() const { return registered_users * active_share * peak_factor; }
    [[nodiscard]] PerSecond peak_rate() const { return rate * peak_factor; }
};

}  // namespace plimsoll
