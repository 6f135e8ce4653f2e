#pragma once
#include <cmath>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "simulator/metrics.hpp"
#include "simulator/observer_group.hpp"
#include "tests/fuzz/cluster_case.hpp"

namespace plimsoll {

/// Watches a run for what no scheduler, router or mishap may bring about, and remembers how every request ended.
class ClusterLaws final : public Observer {
  public:
    explicit ClusterLaws(const ClusterCase& one) : case_(one), ended_(one.arrivals.size(), 0) {}

    void stride(const Stride& stride) override {
        const ReplicaSpec& spec = case_.replica(stride.replica);
        if (last_end_.size() <= stride.replica) last_end_.resize(stride.replica + 1);
        expect(stride.steps >= 1 && stride.end > stride.start, "a stride takes time");
        expect(stride.start >= last_end_[stride.replica], "strides of a replica do not overlap");
        expect(stride.kv_blocks <= spec.settings.kv_blocks, "KV within the budget");
        expect(stride.decodes + stride.prompt_chunks <= spec.settings.max_sequences, "no more sequences than allowed");
        last_end_[stride.replica] = stride.end;
        // Far more than the work there is, preemptions and retries included.
        constexpr std::uint64_t most_strides = 100'000;
        if (++strides_ > most_strides) throw std::runtime_error("the run does not end");
    }
    void finished(const Request& request) override {
        end(request);
        expect(request.outcome == Request::Outcome::answered, "an answer's outcome");
        expect(request.arrival <= request.scheduled, "nothing is scheduled before it comes");
        expect(since(request.scheduled, request.first_token) >= least(1), "the first token takes a step");
        expect(since(request.first_token, request.finished) >= least(request.output - 1.0), "each token takes a step");
        const ClientRules& clients = case_.settings.clients;
        const bool first = clients.waits == ClientRules::Waits::for_first_token;
        const Seconds waited = (first ? request.first_token : request.finished) - request.arrival;
        // A request that begins again with another replica may have given its first token before.
        if (clients.retries == 0 && !(first && case_.settings.resubmit_lost))
            expect(waited <= clients.patience * (1 + 1e-9), "a client waits as long as it may");
    }
    void unanswered(const Request& request) override {
        end(request);
        using Outcome = Request::Outcome;
        const ClusterSettings& settings = case_.settings;
        expect(request.outcome != Outcome::answered, "a failure's outcome");
        expect(request.first_token == never && request.scheduled == never, "no answer, no tokens");
        expect(request.finished >= request.arrival && request.finished < never, "what fails has an end");
        if (request.outcome == Outcome::lost) expect(!settings.resubmit_lost, "what is sent again is not lost");
        if (request.outcome == Outcome::timed_out && settings.clients.retries == 0)
            expect(std::abs(since(request.arrival + settings.clients.patience, request.finished)) < 1e-9,
                   "a client goes when its patience ends");
    }
    /// After the run.
    void check(const ClusterCounts& counts, const RequestTable& table) {
        Unanswered told;
        std::uint64_t answered = 0;
        for (const Request& request : requests) {
            told.count(request.outcome);
            answered += request.outcome == Request::Outcome::answered ? 1 : 0;
        }
        for (const int times : ended_) expect(times == 1, "each request ends once");
        expect(!counts.stopped && table.present() == 0, "nothing is left behind");
        expect(counts.requests == answered, "answers are counted");
        expect(counts.refused == told.refused && counts.timed_out == told.timed_out && counts.lost == told.lost,
               "failures are counted by their kinds");
    }
    void check(const ClusterCounts& counts, const Report& report) {
        const Unanswered& failed = report.unanswered;
        expect(report.finished == counts.requests, "answers are reported");
        expect(failed.refused == counts.refused && failed.timed_out == counts.timed_out && failed.lost == counts.lost,
               "failures are reported by their kinds");
    }
    void expect(bool holds, const char* law) {
        if (!holds && broken.empty()) broken = fmt::format("{} (after {} strides)", law, strides_);
    }

    std::vector<Request> requests;  ///< in the order of their ends
    std::string broken;             ///< the first law that did not hold

  private:
    static double since(Seconds from, Seconds to) { return (to - from).value(); }
    [[nodiscard]] double least(double steps) const { return case_.constant.value() * steps * (1 - 1e-9); }
    void end(const Request& request) {
        expect(request.tag < ended_.size(), "only what was sent ends");
        if (request.tag >= ended_.size()) return;
        ++ended_[request.tag];
        const Arrival& sent = case_.arrivals[request.tag];
        expect(request.arrival == sent.time && request.prompt == sent.prompt && request.output == sent.output,
               "a request stays what it was");
        expect(requests.empty() || requests.back().finished <= request.finished, "ends are told in order");
        requests.push_back(request);
    }

    const ClusterCase& case_;
    std::vector<int> ended_;
    std::vector<Seconds> last_end_;
    std::uint64_t strides_ = 0;
};

/// Sends the requests of a case.
class CaseSource final : public Source {
  public:
    explicit CaseSource(const ClusterCase& one) : arrivals_(one.arrivals) {}
    [[nodiscard]] Seconds next_time() const override {
        return next_ < arrivals_.size() ? arrivals_[next_].time : never;
    }
    Arrival take() override { return arrivals_[next_++]; }

  private:
    const std::vector<Arrival>& arrivals_;
    std::size_t next_ = 0;
};

/// All requests of a run, in memory that is used again.
inline Metrics& empty_metrics() {
    static Metrics metrics([] {
        MetricsSettings all_of_the_run;
        all_of_the_run.warm_up = WarmUp::none;
        all_of_the_run.most_exact = 16;
        return all_of_the_run;
    }());
    metrics.clear();
    return metrics;
}

/// Runs the case as a cluster, or straight through its one replica, under the eyes of `laws`.
inline void run_case(const ClusterCase& one, bool as_cluster, ClusterLaws& laws) {
    // A report costs as much as many of these runs.
    Metrics* const metrics = one.arrivals.size() % 8 == 1 ? &empty_metrics() : nullptr;
    ObserverGroup both;
    both.add(laws);
    if (metrics != nullptr) both.add(*metrics);
    RequestTable table(4);
    CaseSource source(one);
    ClusterCounts counts;
    if (as_cluster) {
        Cluster cluster(one.settings, table);
        counts = cluster.run(source, &both);
        const std::size_t decode = one.settings.disaggregation ? one.settings.disaggregation->decode.size() : 0;
        for (std::uint32_t i = 0; i < one.settings.replicas.size() + decode; ++i) {
            const Replica& replica = cluster.replica(i);
            laws.expect(replica.outstanding() == 0 && replica.state().kv().used() == 0, "all KV is given back");
        }
    } else {
        const ReplicaSpec& spec = one.settings.replicas.front();
        Replica replica(table, *spec.timer, *spec.scheduler, spec.settings);
        static_cast<RunCounts&>(counts) = simulate(source, table, replica, &both);
    }
    laws.check(counts, table);
    if (metrics != nullptr) laws.check(counts, metrics->report());
}

inline bool same_ends(const std::vector<Request>& first, const std::vector<Request>& second) {
    return std::equal(first.begin(), first.end(), second.begin(), second.end(), [](const Request& a, const Request& b) {
        return a.tag == b.tag && a.outcome == b.outcome && a.replica == b.replica && a.scheduled == b.scheduled &&
               a.first_token == b.first_token && a.finished == b.finished && a.preemptions == b.preemptions;
    });
}

/// Runs a case twice, and once more without a cluster where it is about one replica; the first law that breaks, or "".
inline std::string broken_law(const ClusterCase& one) {
    ClusterLaws once(one), again(one);
    run_case(one, true, once);
    run_case(one, true, again);
    once.expect(same_ends(once.requests, again.requests), "the same comes out again");
    if (one.plain()) {
        ClusterLaws alone(one);
        run_case(one, false, alone);
        once.expect(alone.broken.empty() && same_ends(once.requests, alone.requests),
                    "a cluster of one is that replica");
    }
    return once.broken;
}

}  // namespace plimsoll
