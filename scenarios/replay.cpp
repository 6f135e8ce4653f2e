#include "scenarios/replay.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/csv.hpp"
#include "model/cost/architecture.hpp"
#include "model/cost/memory.hpp"
#include "model/cost/step_cost.hpp"
#include "simulator/engine_rule.hpp"
#include "simulator/folded_timer.hpp"
#include "simulator/load_plan.hpp"
#include "simulator/request_tag.hpp"
#include "simulator/simulation.hpp"

namespace plimsoll {
namespace {

Recording recording_of(const Csv& csv, Trace trace) {
    csv.require({"first_token_s", "last_token_s"});
    Recording recording;
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        const auto first = csv.number(row, "first_token_s"), last = csv.number(row, "last_token_s");
        if (!first || !last || !(*first >= trace.arrival[row].value()) || !(*last >= *first))
            throw InputError(csv.place(row), "needs arrival <= first_token_s <= last_token_s");
        recording.first_token.emplace_back(*first);
        recording.last_token.emplace_back(*last);
    }
    recording.trace = std::make_shared<const Trace>(std::move(trace));
    return recording;
}

/// Writes down when each request of the trace was served; its tag's session is its row.
class Ledger final : public Observer {
  public:
    explicit Ledger(std::size_t size) {
        run.first_token.assign(size, never);
        run.last_token.assign(size, never);
    }
    void finished(const Request& request) override {
        const std::uint32_t row = RequestTag::of(request.tag).session;
        run.first_token[row] = request.first_token;
        run.last_token[row] = request.finished;
        run.preemptions += request.preemptions;
        run.makespan = std::max(run.makespan, request.finished);
    }
    ReplayedRun run;
};

/// Runs a recording's requests with any time of the host.
class Replayer {
  public:
    Replayer(const Recording& recording, const ReplayPlan& plan)
        : recording_(recording),
          deployment_(plan.deployment),
          kind_(schedulers().at(plan.scheduler, "scheduler", "replay")),
          architecture_(*deployment_.model),
          engine_(*deployment_.engine) {
        deployment_.engine = &engine_;
        settings_ = engine_rule(deployment_, memory_budget(architecture_, deployment_)).settings;
        if (plan.kv_tokens > 0) settings_.kv_blocks = static_cast<std::uint64_t>(plan.kv_tokens / engine_.block_tokens);
        load_.kind = "trace";
        load_.trace = recording.trace;
    }

    [[nodiscard]] ReplayedRun run(Seconds per_step) {
        engine_.host.per_step.value = per_step * deployment_.node->host_speed.value;
        const StepCost cost(architecture_, deployment_);
        const FoldedTimer timer(cost, settings_.max_sequences);
        RequestTable requests(recording_.size());
        Replica replica(requests, timer, kind_, settings_);
        const auto source = make_source(load_, "replay");
        Ledger ledger(recording_.size());
        simulate(*source, requests, replica, &ledger);
        return std::move(ledger.run);
    }

    /// Mean logarithm of simulated over recorded E2E of the first requests.
    [[nodiscard]] double bias(Seconds per_step, std::size_t first) {
        const ReplayedRun run = this->run(per_step);
        double sum = 0;
        for (std::size_t i = 0; i < first; ++i) {
            const Seconds arrival = recording_.trace->arrival[i];
            sum += std::log((run.last_token[i] - arrival) / (recording_.last_token[i] - arrival));
        }
        return sum / static_cast<double>(first);
    }

  private:
    const Recording& recording_;
    Deployment deployment_;
    const SchedulerKind& kind_;
    Architecture architecture_;
    Engine engine_;
    SchedulerSettings settings_;
    LoadPlan load_;
};

/// Where the bias changes its sign between nothing and `most`, to a microsecond; an end when it does not.
Seconds fit_per_step(Replayer& replayer, std::size_t first) {
    double low = 0.0, high = 0.05;
    if (replayer.bias(Seconds(low), first) >= 0) return Seconds(low);
    while (high - low > 1e-6) {
        const double middle = 0.5 * (low + high);
        (replayer.bias(Seconds(middle), first) < 0 ? low : high) = middle;
    }
    return Seconds(0.5 * (low + high));
}

void judge(ReplayReport& report, const Recording& recording, std::size_t from) {
    std::vector<double> ttft, tpot, e2e;
    const ReplayedRun& run = report.run;
    for (std::size_t i = from; i < recording.size(); ++i) {
        const Seconds arrival = recording.trace->arrival[i];
        const Seconds first = recording.first_token[i], last = recording.last_token[i];
        ttft.push_back((run.first_token[i] - arrival) / (first - arrival) - 1.0);
        e2e.push_back((run.last_token[i] - arrival) / (last - arrival) - 1.0);
        if (recording.trace->output[i] > 1)
            tpot.push_back((run.last_token[i] - run.first_token[i]) / (last - first) - 1.0);
    }
    report.ttft = summary_of(ttft);
    report.tpot = summary_of(tpot);
    report.e2e = summary_of(e2e);
    for (const Seconds last : recording.last_token) report.recorded_makespan = std::max(report.recorded_makespan, last);
    report.makespan_error = report.run.makespan / report.recorded_makespan - 1.0;
}

}  // namespace

Recording read_recording(const std::string& path) {
    return recording_of(Csv::from_file(path), read_trace(path));
}

Recording read_recording_csv(std::string_view text, const std::string& name) {
    return recording_of(Csv::from_text(text, name), read_trace_csv(text, name));
}

ReplayReport replay(const Recording& recording, const ReplayPlan& plan) {
    PLIMSOLL_ASSERT(plan.fitted_on < recording.size());
    Replayer replayer(recording, plan);
    ReplayReport report;
    report.host_per_step = plan.deployment.engine->host.per_step.value / plan.deployment.node->host_speed.value;
    if (plan.fitted_on > 0) report.host_per_step = fit_per_step(replayer, plan.fitted_on);
    report.run = replayer.run(report.host_per_step);
    judge(report, recording, plan.fitted_on);
    return report;
}

}  // namespace plimsoll
