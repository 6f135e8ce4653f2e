#pragma once
/// What tests of clusters share: engines worked by hand, loads, and runs of them.
#include <vector>

#include "simulator/affine_timer.hpp"
#include "simulator/cluster.hpp"
#include "tests/simulated.hpp"

namespace clusters {

using namespace simulated;

/// An engine that takes all prompts at once beside its decodes, with KV by the token and no watermark.
inline SchedulerSettings roomy(std::uint64_t kv_tokens = 1'000'000, std::uint32_t max_sequences = 1000) {
    return {.max_sequences = max_sequences,
            .max_step_tokens = 1'000'000,
            .kv_blocks = kv_tokens,
            .block_tokens = 1,
            .watermark = 0.0};
}
inline const SchedulerKind& scheduler(const char* name = "sarathi") {
    return schedulers().at(name, "scheduler", "test");
}
inline const RouterKind& router(const char* name) {
    return routers().at(name, "router", "test");
}
inline ReplicaSpec replica(const StepTimer& timer, const SchedulerSettings& settings = roomy()) {
    return {.timer = &timer, .scheduler = &scheduler(), .settings = settings};
}
inline ClusterSettings cluster_of(std::uint32_t replicas, const StepTimer& timer, const char* name = "round-robin") {
    ClusterSettings settings;
    settings.replicas.assign(replicas, replica(timer));
    settings.router = &router(name);
    return settings;
}

/// Requests with tags of their own, in order of their times, and how often each was ended.
class Tagged final : public Source {
  public:
    explicit Tagged(std::vector<Arrival> arrivals) : arrivals_(std::move(arrivals)) {}
    [[nodiscard]] Seconds next_time() const override {
        return next_ < arrivals_.size() ? arrivals_[next_].time : never;
    }
    Arrival take() override { return arrivals_[next_++]; }
    void finished(const Request& request) override { ended.push_back(request); }

    std::vector<Request> ended;

  private:
    std::vector<Arrival> arrivals_;
    std::size_t next_ = 0;
};

/// Poisson arrivals with prompts and outputs uniform up to the given lengths; tags count up.
inline std::vector<Arrival> poisson(std::size_t requests, double rate, std::uint32_t prompt, std::uint32_t output,
                                    std::uint64_t seed) {
    RandomStream random(seed, "test load");
    std::vector<Arrival> arrivals(requests);
    double time = 0;
    for (std::size_t i = 0; i < requests; ++i) {
        time += random.exponential() / rate;
        arrivals[i] = {.time = Seconds(time),
                       .prompt = 1 + static_cast<std::uint32_t>(random.below(prompt)),
                       .output = 1 + static_cast<std::uint32_t>(random.below(output)),
                       .tag = i};
    }
    return arrivals;
}

/// A run and all that was recorded of it.
struct Run {
    ClusterCounts counts;
    std::vector<Request> requests;  ///< by tag
    std::vector<Stride> strides;
};
inline Run run(const ClusterSettings& settings, const std::vector<Arrival>& arrivals) {
    RequestTable table;
    Cluster cluster(settings, table);
    Tagged source(arrivals);
    Record record;
    const ClusterCounts counts = cluster.run(source, &record);
    return {counts, record.requests, record.strides};
}

}  // namespace clusters
