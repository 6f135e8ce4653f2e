#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/spec/deployment.hpp"
#include "scenarios/error_summary.hpp"
#include "simulator/trace.hpp"

namespace plimsoll {

/// A run of a real engine: what was sent when, and when the answers came. All times from the first arrival on.
struct Recording {
    std::shared_ptr<const Trace> trace;  ///< with arrivals
    std::vector<Seconds> first_token, last_token;

    [[nodiscard]] std::size_t size() const { return first_token.size(); }
};

/// Reads a CSV table with the columns of a trace (arrival, prompt and output tokens) and `first_token_s`,
/// `last_token_s`. Throws EnvironmentError and InputError ("file:line").
[[nodiscard]] Recording read_recording(const std::string& path);
/// The same from memory; `name` stands for the file.
[[nodiscard]] Recording read_recording_csv(std::string_view text, const std::string& name);

/// When the requests of a recording got their tokens in a simulated run.
struct ReplayedRun {
    std::vector<Seconds> first_token, last_token;  ///< by request; `never` when the engine refused it
    std::uint64_t preemptions = 0;
    Seconds makespan;  ///< first arrival to the last token of all
};

/// How a recording is run again.
struct ReplayPlan {
    Deployment deployment;
    std::string scheduler = "vllm-v1";
    double kv_tokens = 0;       ///< that the engine reported; 0: from the memory budget
    std::size_t fitted_on = 0;  ///< first requests, on which the host's time a step is fitted; 0: the engine's own
};

struct ReplayReport {
    ReplayedRun run;
    Seconds host_per_step;         ///< used, on the deployment's host
    ErrorSummary ttft, tpot, e2e;  ///< of simulated over recorded, for the requests after those that were fitted on
    Seconds recorded_makespan;
    double makespan_error = 0;
};

/// The recording's arrivals and lengths through the simulator on the deployment's folded step cost. The host's serial
/// time a step is the one constant that is fitted, so that the mean logarithm of simulated over recorded E2E is zero
/// over the first `fitted_on` requests. Throws InputError when the scheduler is unknown.
[[nodiscard]] ReplayReport replay(const Recording& recording, const ReplayPlan& plan);

}  // namespace plimsoll
