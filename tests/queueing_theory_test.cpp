#include <cmath>
#include <functional>
#include <queue>

#include "simulator/affine_timer.hpp"
#include "simulator/random.hpp"
#include "tests/catch.hpp"
#include "tests/simulated.hpp"

using namespace plimsoll;
using namespace simulated;

namespace {

/// Answers of many tokens stand for continuous work: joining at the end of a step then costs next to nothing.
constexpr double tokens = 20000;
constexpr double service = 1.0;  ///< s, of a mean answer alone

std::uint32_t exponential_tokens(RandomStream& stream) {
    return 2 + static_cast<std::uint32_t>(std::min(4e9, tokens * stream.exponential()));
}

class PoissonSource final : public Source {
  public:
    PoissonSource(double rate, bool fixed_work, std::uint64_t count) : rate_(rate), fixed_(fixed_work), left_(count) {
        draw();
    }
    [[nodiscard]] Seconds next_time() const override { return next_; }
    Arrival take() override {
        const Arrival arrival{.time = next_, .output = fixed_ ? 1 : exponential_tokens(work_)};
        draw();
        return arrival;
    }

  private:
    void draw() { next_ = left_-- == 0 ? never : next_ + Seconds(times_.exponential() / rate_); }
    double rate_;
    bool fixed_;
    std::uint64_t left_;
    Seconds next_{};
    RandomStream times_{7, "times"}, work_{7, "work"};
};

/// A few users that each think, ask, and wait for the answer.
class FewUsers final : public Source {
  public:
    FewUsers(int users, double think, std::uint64_t count) : think_(think), left_(count) {
        for (int i = 0; i < users; ++i) think_from(0);
    }
    [[nodiscard]] Seconds next_time() const override { return due_.empty() ? never : Seconds(due_.top()); }
    Arrival take() override {
        const Arrival arrival{.time = next_time(), .output = exponential_tokens(work_)};
        due_.pop();
        return arrival;
    }
    void finished(const Request& request) override { think_from(request.finished.value()); }

  private:
    void think_from(double now) {
        if (left_ == 0) return;
        --left_;
        due_.push(now + think_ * times_.exponential());
    }
    double think_;
    std::uint64_t left_;
    std::priority_queue<double, std::vector<double>, std::greater<>> due_;
    RandomStream times_{7, "times"}, work_{7, "work"};
};

class Means final : public Observer {
  public:
    void finished(const Request& request) override {
        ++count;
        wait += (request.scheduled - request.arrival).value();
        response += (request.finished - request.arrival).value();
    }
    double count = 0, wait = 0, response = 0;
};

struct Result {
    double wait, response, throughput;
};

/// vllm-v0 with room for everything: what is left of it is a queue in order of arrival and `servers` places.
Result run(Source& source, const AffineTimer::Coefficients& coefficients, std::uint32_t servers) {
    const AffineTimer timer(coefficients);
    SchedulerSettings settings = schedulers().find("vllm-v0")->defaults;
    settings.max_sequences = servers;
    settings.max_step_tokens = std::numeric_limits<std::uint32_t>::max();
    settings.kv_blocks = std::uint64_t{1} << 50;
    RequestTable requests;
    Replica replica(requests, timer, *schedulers().find("vllm-v0"), settings);
    Means means;
    const RunCounts counts = simulate(source, requests, replica, &means);
    return {means.wait / means.count, means.response / means.count, means.count / counts.end.value()};
}

/// M/D/1: the work is the prefill of one prompt. Pollaczek-Khinchine: W = rho S / (2 (1 - rho)).
void check_fixed_work(double load, std::uint64_t count, double tolerance) {
    PoissonSource source(load / service, true, count);
    const Result result = run(source, {.per_prompt_token = Seconds(service)}, 1);
    CAPTURE(load);
    CHECK(result.wait == Approx(load * service / (2 * (1 - load))).epsilon(tolerance));
}

/// M/M/1-PS: a step takes as long as there are decodes in it, so each gets its share. R = S / (1 - rho).
void check_processor_sharing(double load, std::uint64_t count, double tolerance) {
    PoissonSource source(load / service, false, count);
    const Result result = run(source, {.per_decode = Seconds(service / tokens)}, 1u << 20);
    CAPTURE(load);
    CHECK(result.response == Approx(service / (1 - load)).epsilon(tolerance));
}

/// M/M/c: a step takes the same time for up to c decodes. Erlang C from Erlang B by its recursion;
/// W = C S / (c (1 - rho)).
void check_many_servers(int servers, double load, std::uint64_t count, double tolerance) {
    const double offered = servers * load;
    double blocked = 1;
    for (int c = 1; c <= servers; ++c) blocked = offered * blocked / (c + offered * blocked);
    const double waits = blocked / (1 - load * (1 - blocked));
    PoissonSource source(offered / service, false, count);
    const Result result = run(source, {.constant = Seconds(service / tokens)}, static_cast<std::uint32_t>(servers));
    CAPTURE(servers, load);
    CHECK(result.wait == Approx(waits * service / (servers * (1 - load))).epsilon(tolerance));
}

/// M/M/1//N: p(n) = p(n - 1) (N - n + 1) S / Z; utilization 1 - p(0) is the throughput times S.
void check_finite_source(int users, double load, std::uint64_t count, double tolerance) {
    const auto utilization = [&](double think) {
        double weight = 1, sum = 1;
        for (int n = 1; n <= users; ++n) sum += weight *= (users - n + 1) * service / think;
        return 1 - 1 / sum;
    };
    double least = 1e-3, most = 1e3;  // the think time that gives the load
    for (int i = 0; i < 200; ++i) {
        const double middle = 0.5 * (least + most);
        (utilization(middle) > load ? least : most) = middle;
    }
    FewUsers source(users, most, count);
    const Result result = run(source, {.constant = Seconds(service / tokens)}, 1);
    CAPTURE(users, load, most);
    CHECK(result.throughput * service == Approx(load).epsilon(tolerance));
    // Little's law over the cycle: N = X (R + Z).
    CHECK(result.response == Approx(users * service / load - most).epsilon(tolerance));
}

void check_all(double load, std::uint64_t count, double tolerance) {
    check_fixed_work(load, count, tolerance);
    check_processor_sharing(load, count, tolerance);
    check_many_servers(3, load, count, tolerance);
    check_finite_source(8, load, count, tolerance);
}

}  // namespace

TEST_CASE("The simulator agrees with queueing theory, short") {
    check_all(0.3, 200000, 0.06);
    check_all(0.6, 200000, 0.06);
    check_all(0.9, 400000, 0.08);
}

// A ctest of its own in release builds: at a load of 0.9 the error of a mean over 3e7 requests is 0.4 %.
TEST_CASE("The simulator agrees with queueing theory within 1 %", "[.long]") {
    check_all(0.3, 10000000, 0.01);
    check_all(0.6, 10000000, 0.01);
    check_all(0.9, 30000000, 0.01);
}
