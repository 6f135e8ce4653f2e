#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <random>
#include <vector>

#include "model/capacity/chain.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

enum class Work { exponential, fixed, two_valued };

/// A mean over batches with its standard error.
struct Estimate {
    double mean;
    double error;
};

struct Observed {
    Estimate throughput;
    Estimate present;
};

/// A station whose n requests share the rate mu(n) equally, each bringing work of mean 1. The clock of attained work
/// runs at mu(n) / n, so a request that came at attained work v leaves at v + its own: the least of a heap.
class SharedStation {
  public:
    SharedStation(std::vector<double> mu, Work work, std::uint64_t seed)
        : mu_(std::move(mu)), work_(work), random_(seed) {}

    Observed run_open(double lambda, int batches, double batch_time) {
        return run(batches, batch_time, [=] { return lambda; });
    }
    Observed run_closed(std::size_t users, double think, int batches, double batch_time) {
        return run(batches, batch_time, [=, this] { return static_cast<double>(users - leaves_at_.size()) / think; });
    }

  private:
    double exponential() { return -std::log1p(-static_cast<double>(random_() >> 11) * 0x1p-53); }

    double draw_work() {
        if (work_ == Work::fixed) return 1.0;
        if (work_ == Work::exponential) return exponential();
        // One in ten brings 5.5, the others 0.5: cv^2 = 2.25.
        return random_() % 10 == 0 ? 5.5 : 0.5;
    }

    /// Advances the arrival (memoryless, drawn anew at every event) or the next departure until `end`.
    template <class ArrivalRate>
    void advance(double end, ArrivalRate arrival_rate) {
        while (now_ < end) {
            const std::size_t n = leaves_at_.size();
            const double speed = n == 0 ? 0.0 : mu_[std::min(n, mu_.size()) - 1] / static_cast<double>(n);
            const double rate = arrival_rate();
            const double arrival = rate > 0.0 ? exponential() / rate : end - now_ + 1.0;
            const double departure = n == 0 ? end - now_ + 1.0 : (leaves_at_.top() - attained_) / speed;
            const double step = std::min({arrival, departure, end - now_});
            area_ += static_cast<double>(n) * step;
            attained_ += speed * step;
            now_ += step;
            if (step == departure) {
                attained_ = leaves_at_.top();
                leaves_at_.pop();
                ++departures_;
            } else if (step == arrival) {
                leaves_at_.push(attained_ + draw_work());
            } else {
                now_ = end;
            }
        }
    }

    template <class ArrivalRate>
    Observed run(int batches, double batch_time, ArrivalRate arrival_rate) {
        advance(batch_time, arrival_rate);  // warm-up
        std::vector<double> throughput;
        std::vector<double> present;
        for (int batch = 0; batch < batches; ++batch) {
            area_ = 0.0;
            departures_ = 0;
            advance(now_ + batch_time, arrival_rate);
            throughput.push_back(static_cast<double>(departures_) / batch_time);
            present.push_back(area_ / batch_time);
        }
        return {estimate(throughput), estimate(present)};
    }

    static Estimate estimate(const std::vector<double>& values) {
        double mean = 0.0;
        for (const double v : values) mean += v / static_cast<double>(values.size());
        double square = 0.0;
        for (const double v : values) square += (v - mean) * (v - mean);
        const auto count = static_cast<double>(values.size());
        return {mean, std::sqrt(square / (count - 1.0) / count)};
    }

    std::vector<double> mu_;
    Work work_;
    std::mt19937_64 random_;
    std::priority_queue<double, std::vector<double>, std::greater<>> leaves_at_;
    double now_ = 0.0;
    double attained_ = 0.0;
    double area_ = 0.0;
    int departures_ = 0;
};

/// Within four standard errors, which themselves are small enough to tell something.
void check_close(const Estimate& observed, double expected) {
    CAPTURE(observed.mean, observed.error, expected);
    CHECK(observed.error < 0.015 * expected);
    CHECK(std::abs(observed.mean - expected) < 4.0 * observed.error);
}

/// Like a batch of requests: n share an iteration that grows with n; past 24 no faster, with a step down at 17.
std::vector<double> batch_rates() {
    std::vector<double> mu;
    for (int n = 1; n <= 24; ++n) mu.push_back(n / (1.0 + 0.05 * n) * (n > 16 ? 0.93 : 1.0));
    return mu;
}

}  // namespace

TEST_CASE("A simulated open station shows the chain's steady state, whatever the law of the work") {
    const std::vector<double> mu = batch_rates();
    const ServiceRates rates(mu, 24);
    ChainWorkspace workspace;
    for (const Work work : {Work::exponential, Work::fixed, Work::two_valued})
        for (const double load : {0.3, 0.6, 0.8}) {
            const double lambda = load * rates.saturated().value();
            const auto answer = solve_open(rates, PerSecond(lambda), workspace);
            const SteadyState& state = std::get<SteadyState>(answer);
            SharedStation station(mu, work, 1 + static_cast<std::uint64_t>(100.0 * load));
            const Observed observed = station.run_open(lambda, 40, 500.0);
            CAPTURE(static_cast<int>(work), load);
            check_close(observed.throughput, lambda);
            check_close(observed.present, state.mean_present);
        }
}

TEST_CASE("A simulated closed station shows the chain's steady state, whatever the law of the work") {
    const std::vector<double> mu = batch_rates();
    const ServiceRates rates(mu, 24);
    ChainWorkspace workspace;
    for (const Work work : {Work::exponential, Work::fixed, Work::two_valued})
        for (const std::size_t users : {12U, 60U, 90U}) {
            const SteadyState state = solve_closed(rates, users, Seconds(6.0), workspace);
            SharedStation station(mu, work, 7 * users);
            const Observed observed = station.run_closed(users, 6.0, 40, 400.0);
            CAPTURE(static_cast<int>(work), users);
            check_close(observed.throughput, state.throughput.value());
            check_close(observed.present, state.mean_present);
        }
}
