#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/units.hpp"
#include "model/spec/distribution.hpp"
#include "model/spec/slo.hpp"

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

/// How the rate of an open load changes over a period that repeats.
struct RateShape {
    Seconds period{86400.0};
    /// diurnal: factors of the mean rate at equal distances over the period, straight lines between them; empty: a
    /// sine between `peak` and 2 - `peak`.
    std::vector<double> factors;
    double peak = 1.5;
    Seconds spike{60.0};  ///< spikes: how long the rate is `spike_factor` times `rate`, at the end of each period
    double spike_factor = 5.0;
};

/// Conversations: each turn sends the whole conversation so far and a new message.
struct SessionShape {
    Distribution turns = Distribution::fixed(5.0);
    std::uint32_t system_prompt = 0;  ///< tokens that all sessions begin with
    std::uint32_t max_context = 0;    ///< tokens of prompt and output at which a session ends; 0: unlimited
};

/// Turns of a session in the mean, whole ones (a longest context may end it sooner).
[[nodiscard]] double mean_turns(const SessionShape& sessions);
/// Requests as engines see them when each carries the conversation before it: the lengths of all turns, messages and
/// answers of the turns before at their means, a turn that exceeds the longest context left out.
[[nodiscard]] Workload grown(const Workload& messages, const SessionShape& sessions);

/// One of several kinds of requests that come side by side.
struct LoadClass {
    std::string name;
    double share = 1.0;  ///< of the users, or of the requests of a rate
    Workload workload;   ///< with sessions: of the new messages
    std::optional<SessionShape> sessions;
    Slo slo;
};

/// One workload that stands for several, pooled by their shares.
[[nodiscard]] Workload pooled(const std::vector<LoadClass>& classes);

/// Requests of the source documents' shared queue; more users than half of that share two requests each.
inline constexpr int documents_queue = 250;
[[nodiscard]] constexpr int queue_for(int users, int least = documents_queue) {
    return least > 2 * users ? least : 2 * users;
}

/// A benchmark run of finite length: all users start within `ramp` and drain a shared queue of `requests`.
struct Drain {
    int requests = 0;  ///< 0: queue_for() the users that there are
    Seconds ramp;
    bool one_each = false;  ///< instead of a shared queue each user sends one request
};

/// Who sends the requests: a population of users that think between their requests, or a stream with a rate.
struct Load {
    enum class Kind { closed, open };
    Kind kind = Kind::closed;
    double registered_users = 0;  ///< closed
    double active_share = 1.0;    ///< of the registered users, at the same time
    double peak_factor = 1.0;     ///< peak over the mean of active users, or of the rate
    Distribution think_time;      ///< seconds, closed, or between the turns of sessions
    PerSecond rate;               ///< open: requests, those of all turns counted
    std::optional<Drain> drain;   ///< absent: steady state
    std::optional<Seconds> ramp;  ///< closed, steady: over which the users start; absent: each after a think time

    enum class Arrivals { poisson, constant, gamma, weibull, diurnal, spikes };
    Arrivals arrivals = Arrivals::poisson;  ///< open
    double cv = 1.0;                        ///< gamma, weibull: of the times between arrivals
    RateShape shape;                        ///< diurnal, spikes
    std::optional<SessionShape> sessions;   ///< absent: requests that have nothing to do with each other
    std::vector<LoadClass> classes;         ///< empty: all requests are of one kind

    /// Users that are thinking or waiting for an answer at the peak (closed).
    [[nodiscard]] double concurrent_users() const { return registered_users * active_share * peak_factor; }
    /// The highest rate, that of the curve where there is one.
    [[nodiscard]] PerSecond peak_rate() const { return rate * (peak_factor * highest_factor()); }
    /// The highest rate of the curve over `rate`.
    [[nodiscard]] double highest_factor() const;
    /// A part of the load, at its peak: users (requests of a queue) rounded up to whole ones.
    [[nodiscard]] Load part(double share) const;
};

/// The names of Load::Arrivals, which are those of the simulator's load sources.
inline constexpr std::array<std::string_view, 6> arrival_names{"poisson", "constant", "gamma",
                                                               "weibull", "diurnal",  "spikes"};
/// How many of them, the first ones, draw independent times between arrivals.
inline constexpr std::ptrdiff_t renewal_arrivals = 4;
[[nodiscard]] constexpr std::string_view to_string(Load::Arrivals arrivals) {
    return arrival_names[static_cast<std::size_t>(arrivals)];
}

}  // namespace plimsoll
