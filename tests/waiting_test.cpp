#include "model/capacity/waiting.hpp"

#include <cmath>
#include <vector>

#include "model/capacity/percentiles.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

const double loads[] = {0.3, 0.6, 0.9};

/// The wait of an open station with `servers` servers of one request per second each.
Mixture open_wait(int servers, double rho, double cv2) {
    std::vector<double> mu;
    for (int n = 1; n <= servers; ++n) mu.push_back(n);
    const auto places = static_cast<std::size_t>(servers);
    ChainWorkspace workspace;
    const auto answer = solve_open(ServiceRates(mu, places), PerSecond(rho * servers), workspace);
    Mixture wait;
    add_waits(std::get<SteadyState>(answer).seen_by_arrival, places, PerSecond(servers), cv2, wait);
    return wait;
}

/// M/D/1 with service 1: P(wait <= t) = (1 - rho) sum over k <= t of (rho (k - t))^k / k! exp(rho (t - k)) (Erlang
/// 1909).
double deterministic_wait_cdf(double rho, double t) {
    long double sum = 0.0L;
    long double factorial = 1.0L;
    for (int k = 0; k <= static_cast<int>(t); ++k) {
        if (k > 0) factorial *= k;
        const long double x = static_cast<long double>(rho) * (k - static_cast<long double>(t));
        sum += std::pow(x, k) / factorial * std::exp(-x);
    }
    return static_cast<double>((1.0L - rho) * sum);
}

}  // namespace

TEST_CASE("One departure is one residual service") {
    // Exponential work of mean 1/4 s: its residual is itself. Work of exactly 1/4 s: uniform on [0, 1/4], mean 1/8,
    // variance 1/16/12.
    const TimeMoments exponential = wait_of_position(1.0, PerSecond(4.0), 1.0);
    CHECK(exponential.mean.value() == Approx(0.25));
    CHECK(exponential.variance.value() == Approx(0.0625));
    const TimeMoments fixed = wait_of_position(1.0, PerSecond(4.0), 0.0);
    CHECK(fixed.mean.value() == Approx(0.125));
    CHECK(fixed.variance.value() == Approx(0.0625 / 12.0));
    CHECK(wait_of_position(6.0, PerSecond(4.0), 1.0).mean.value() == Approx(1.5));
}

TEST_CASE("M/D/1 and M/G/1: Pollaczek and Khinchine, both moments") {
    for (const double rho : loads) {
        // E[W] = rho E[S^2] / (2 (1 - rho)), Var W = rho E[S^3] / (3 (1 - rho)) + E[W]^2, services of mean 1.
        const Mixture fixed = open_wait(1, rho, 0.0);
        const double mean = rho / (2.0 * (1.0 - rho));
        CHECK(fixed.mean().value() == Approx(mean));
        CHECK(fixed.variance().value() == Approx(rho / (3.0 * (1.0 - rho)) + mean * mean));
        // Gamma work of shape 1/2: E[S^2] = 3, E[S^3] = 15.
        const Mixture wide = open_wait(1, rho, 2.0);
        const double wide_mean = 3.0 * rho / (2.0 * (1.0 - rho));
        CHECK(wide.mean().value() == Approx(wide_mean));
        CHECK(wide.variance().value() == Approx(5.0 * rho / (1.0 - rho) + wide_mean * wide_mean));
    }
}

TEST_CASE("M/D/1: the upper percentiles of Erlang's exact law") {
    for (const double rho : {0.6, 0.9}) {
        PercentileTable percentiles;
        percentiles.build(open_wait(1, rho, 0.0));
        for (const double q : {0.9, 0.95, 0.99}) {
            double low = 0.0;
            double high = 40.0;
            for (int i = 0; i < 60; ++i) {
                const double middle = 0.5 * (low + high);
                (deterministic_wait_cdf(rho, middle) < q ? low : high) = middle;
            }
            CAPTURE(rho, q);
            CHECK(percentiles.at(q).value() == Approx(low).epsilon(0.03));
        }
    }
}

TEST_CASE("M/M/c: those who wait, wait exponentially") {
    for (const int servers : {1, 4, 30})
        for (const double rho : loads) {
            const Mixture wait = open_wait(servers, rho, 1.0);
            const double waits = 1.0 - wait.components().front().weight;
            CHECK(wait.weight() == Approx(1.0));
            CHECK(wait.mean().value() == Approx(waits / (servers * (1.0 - rho))).margin(1e-12));
            PercentileTable percentiles;
            percentiles.build(wait);
            // P(W > t) = P(wait) exp(-c mu (1 - rho) t); where the mass of those who wait is near 1 - q the edge of the
            // atom is spread over a slice, so levels are taken inside.
            for (const double q : {0.5, 0.9, 0.99}) {
                if (waits < 1.5 * (1.0 - q)) continue;
                const double exact = std::log(waits / (1.0 - q)) / (servers * (1.0 - rho));
                CAPTURE(servers, rho, q, waits);
                CHECK(percentiles.at(q).value() == Approx(exact).epsilon(0.03));
            }
        }
}

TEST_CASE("Places beyond the last level of the rates") {
    // M/M/1 at rho = 1/2 with 3 at once: found n >= 3 with 1/8, then n - 2 departures, geometric of mean 2: 1/8 x 2 x 1
    // s.
    const std::vector<double> mu{1.0};
    ChainWorkspace workspace;
    const auto answer = solve_open(ServiceRates(mu, 3), PerSecond(0.5), workspace);
    const SteadyState& state = std::get<SteadyState>(answer);
    Mixture wait;
    add_waits(state.seen_by_arrival, 3, PerSecond(1.0), 1.0, wait);
    CHECK(wait.weight() == Approx(1.0));
    CHECK(wait.mean().value() == Approx(0.25));
    CHECK(wait.mean().value() == Approx(state.mean_wait.value()));
}

TEST_CASE("The wait by position is the wait by Little's law") {
    ChainWorkspace workspace;
    std::vector<double> mu;
    for (int n = 1; n <= 48; ++n) mu.push_back(n / (3.0 + 0.04 * n));
    const ServiceRates rates(mu, 48);
    for (const std::size_t users : {10U, 60U, 100U, 300U}) {
        const SteadyState state = solve_closed(rates, users, Seconds(4.0), workspace);
        Mixture wait;
        add_waits(state.seen_by_arrival, 48, rates.saturated(), 1.0, wait);
        CHECK(wait.weight() == Approx(1.0));
        CHECK(wait.mean().value() == Approx(state.mean_wait.value()).margin(1e-14));
    }
}
