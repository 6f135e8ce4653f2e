#include "scenarios/instance_run.hpp"

#include "simulator/simulator.hpp"

namespace plimsoll {
namespace {

/// Means over the requests that finish after the first `skipped`.
class Means final : public Observer {
  public:
    Means(std::uint64_t skipped, bool tpot_over_tokens) : skipped_(skipped), not_counted_(tpot_over_tokens ? 0 : 1) {}

    void finished(const Request& request) override {
        last_ = request.finished;
        if (seen_++ < skipped_) {
            from_ = request.finished;
            return;
        }
        ttft_ += request.first_token - request.arrival;
        if (request.output == 1) return;
        ++several_;
        tpot_ += (request.finished - request.first_token) / (request.output - not_counted_);
    }

    [[nodiscard]] InstanceMeans means() const {
        const auto counted = static_cast<double>(seen_ - std::min(seen_, skipped_));
        InstanceMeans means;
        if (counted == 0) return means;
        means.ttft = ttft_ / counted;
        if (several_ > 0) means.tpot = tpot_ / several_;
        if (last_ > from_) means.request_rate = counted / (last_ - from_);
        return means;
    }

  private:
    std::uint64_t skipped_;
    double not_counted_;  ///< tokens of a request that its TPOT leaves out
    std::uint64_t seen_ = 0;
    double several_ = 0;
    Seconds ttft_, tpot_, from_, last_;
};

}  // namespace

InstanceMeans InstanceRunner::run(const InstanceLoad& load) const {
    InstanceMeans sum;
    for (std::uint32_t i = 0; i < load.runs; ++i) {
        const InstanceMeans one = run_once(load, replication_seed(1, i));
        sum.ttft += one.ttft / static_cast<double>(load.runs);
        sum.tpot += one.tpot / static_cast<double>(load.runs);
        sum.request_rate += one.request_rate / static_cast<double>(load.runs);
    }
    return sum;
}

InstanceMeans InstanceRunner::run_once(const InstanceLoad& load, std::uint64_t seed) const {
    Load users;
    users.registered_users = load.users;
    users.think_time = think_time_;
    if (load.steady_state)
        users.ramp = load.ramp;
    else
        users.drain = Drain{.requests = static_cast<int>(load.requests), .ramp = load.ramp};
    const int max_output = instance_.deployment().engine->reserved_output_tokens.value_or(0);
    SimulationSetup setup(instance_);
    setup.load = load_plan(users, workload_, seed, {}, static_cast<std::uint32_t>(max_output));
    const std::uint64_t warm_up = load.steady_state ? 3 * std::uint64_t{load.users} : 0;
    if (load.steady_state) setup.limits.requests = warm_up + load.requests;
    Means means(warm_up, load.tpot_over_tokens);
    run_watched(setup, means);
    return means.means();
}

}  // namespace plimsoll
