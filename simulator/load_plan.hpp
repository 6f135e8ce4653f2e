#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/base/registry.hpp"
#include "model/spec/load.hpp"
#include "model/spec/slo.hpp"
#include "simulator/source.hpp"
#include "simulator/trace.hpp"

namespace plimsoll {

/// All that is sent in a run, as numbers. Each kind reads what it needs and refuses what contradicts it.
struct LoadPlan {
    std::string kind = "poisson";  ///< a name of load_sources()
    std::uint64_t seed = 1;
    std::uint64_t requests = 0;                      ///< in all; 0: without end (trace: all of it)
    Distribution prompt = Distribution::fixed(1.0);  ///< tokens; sessions: of the new message
    Distribution output = Distribution::fixed(1.0);  ///< tokens, the first one included
    std::uint32_t max_output = 0;                    ///< what the clients ask for at the most; 0: what they get
    /// sessions, trace: the engines find every shared prefix in their caches (which forget nothing) and do not compute
    /// it again.
    bool prefix_cache = false;
    /// Lengths drawn from its rows, prompt and output together, in place of the two laws; the arrivals of a trace.
    std::shared_ptr<const Trace> trace;
    double trace_speed = 1.0;  ///< trace: arrivals come so many times faster

    std::uint32_t users = 0;  ///< closed loops
    Distribution think_time;  ///< s, between an answer and the user's next request
    /// Closed loops: user i of n starts at ramp x i / n. Absent: each starts somewhere within a think time.
    std::optional<Seconds> ramp;
    /// shared-queue: the lengths are one sample of each equally likely stratum of the law, shuffled, so that a short
    /// queue has the moments of the law.
    bool stratified = false;

    PerSecond rate{};  ///< open loads: mean requests (sessions) per second
    double cv = 1.0;   ///< gamma, weibull: of the times between arrivals
    RateShape shape;
    SessionShape session;

    std::vector<LoadPlan> classes;  ///< mixture: the parts; their seeds follow from this one's
    std::string class_name;         ///< of a part
    Slo slo;                        ///< what this class was promised
};

/// A load source as one file of simulator/sources registers it.
struct LoadKind {
    std::string description;
    /// Why the plan makes no sense for this kind, if so.
    std::function<std::optional<std::string>(const LoadPlan&)> refusal;
    std::function<std::unique_ptr<Source>(const LoadPlan&)> make;
};

/// All load sources, by the name that a user gives.
[[nodiscard]] const Registry<LoadKind>& load_sources();

/// The source that a plan describes; throws InputError at `place` for an unknown kind or a plan that it refuses.
[[nodiscard]] std::unique_ptr<Source> make_source(const LoadPlan& plan, const std::string& place);

/// The load of a scenario: a drain is one of the benchmarks' protocols, users without one the closed loop in steady
/// state, a rate arrivals at its peak (a curve: as it stands); classes are a mixture. `max_output` as in LoadPlan.
/// Throws InputError for users too few for the classes.
[[nodiscard]] LoadPlan load_plan(const Load& load, const Workload& workload, std::uint64_t seed, const Slo& slo = {},
                                 std::uint32_t max_output = 0);

/// What each class of the load was promised, in order: one entry, or those of a mixture's classes.
[[nodiscard]] std::vector<Slo> promises_of(const LoadPlan& plan);

/// Seeds of the parts of a whole: replications ("replication"), classes of a mixture ("class").
[[nodiscard]] std::uint64_t derived_seed(std::uint64_t seed, std::string_view what, std::uint64_t index);

/// The first refusal among what a load of users, or of a rate, always needs.
[[nodiscard]] std::optional<std::string> users_refusal(const LoadPlan& plan);
[[nodiscard]] std::optional<std::string> rate_refusal(const LoadPlan& plan);

}  // namespace plimsoll
