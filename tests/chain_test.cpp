#include "model/capacity/chain.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

double uniform(std::mt19937_64& random) {
    return static_cast<double>(random() >> 11) * 0x1p-53;
}

/// Rates that grow with saturation; with `noise` they also step down here and there, as tiles and waves make them do.
std::vector<double> generated_rates(std::mt19937_64& random, std::size_t levels, bool noise) {
    const double start = 0.01 + uniform(random);
    const double slope = 0.002 + 0.2 * uniform(random);
    std::vector<double> rates;
    for (std::size_t n = 1; n <= levels; ++n) {
        const double count = static_cast<double>(n);
        rates.push_back(count / (start + slope * count) * (noise ? 0.8 + 0.2 * uniform(random) : 1.0));
    }
    return rates;
}

/// The closed chain from its definition, every product taken as a sum of logarithms in long double.
std::vector<long double> closed_by_logarithms(const std::vector<double>& rates, std::size_t users, double think) {
    std::vector<long double> log_weight(1, 0.0L);
    for (std::size_t n = 0; n < users; ++n) {
        const long double rate = rates[std::min(n, rates.size() - 1)];
        log_weight.push_back(log_weight.back() + std::log(static_cast<long double>(users - n) / (think * rate)));
    }
    const long double most = *std::max_element(log_weight.begin(), log_weight.end());
    for (long double& w : log_weight) w = std::exp(w - most);
    const long double total = std::accumulate(log_weight.begin(), log_weight.end(), 0.0L);
    for (long double& w : log_weight) w /= total;
    return log_weight;
}

double total(const StateDistribution& states) {
    return std::accumulate(states.probability.begin(), states.probability.end(), states.tail_mass);
}

}  // namespace

TEST_CASE("A closed chain of two users by hand") {
    // mu = 2, 3 per s; N = 2, Z = 1 s: p(1) = p(0) 2/2 = 1, p(2) = p(1) 1/3, so p = 3/7, 3/7, 1/7.
    // X = 3/7 x 2 + 1/7 x 3 = 9/7 per s; L = 5/7; one place in service: one waits with probability 1/7.
    // An arrival sees p(n)(2 - n) = 6, 3 (of 9): 2/3, 1/3.
    const std::vector<double> mu{2.0, 3.0};
    ChainWorkspace workspace;
    const SteadyState state = solve_closed(ServiceRates(mu, 1), 2, Seconds(1.0), workspace);
    CHECK(state.throughput.value() == Approx(9.0 / 7.0).epsilon(1e-14));
    CHECK(state.mean_present == Approx(5.0 / 7.0).epsilon(1e-14));
    CHECK(state.mean_waiting == Approx(1.0 / 7.0).epsilon(1e-14));
    CHECK(state.mean_in_service == Approx(4.0 / 7.0).epsilon(1e-14));
    CHECK(state.mean_response.value() == Approx(5.0 / 9.0).epsilon(1e-14));
    CHECK(state.mean_wait.value() == Approx(1.0 / 9.0).epsilon(1e-14));
    CHECK(state.probability_busy == Approx(4.0 / 7.0).epsilon(1e-14));
    CHECK(state.utilisation == Approx(3.0 / 7.0).epsilon(1e-14));
    CHECK(state.probability_of_waiting == Approx(1.0 / 3.0).epsilon(1e-14));
    REQUIRE(state.seen_by_arrival.probability.size() == 2);
    CHECK(state.seen_by_arrival.probability[0] == Approx(2.0 / 3.0).epsilon(1e-14));
}

TEST_CASE("A finite room by hand") {
    // lambda = 1, mu = 1 and then 2 per s, room for 2: weights 1, 1, 1/2; blocked 1/5; admitted 4/5 per s see 1/2, 1/2.
    const std::vector<double> mu{1.0, 2.0};
    ChainWorkspace workspace;
    const SteadyState state = solve_open_with_room(ServiceRates(mu, 1), PerSecond(1.0), 2, workspace);
    CHECK(state.throughput.value() == Approx(0.8).epsilon(1e-14));
    CHECK(state.lost.value() == Approx(0.2).epsilon(1e-14));
    CHECK(state.mean_present == Approx(0.8).epsilon(1e-14));
    CHECK(state.mean_response.value() == Approx(1.0).epsilon(1e-14));
    CHECK(state.probability_of_waiting == Approx(0.5).epsilon(1e-14));
}

TEST_CASE("A finite room far beyond saturation is full and completes at the saturated rate") {
    ChainWorkspace workspace;
    const std::vector<double> mu{1.0};
    const SteadyState state = solve_open_with_room(ServiceRates(mu, 4), PerSecond(1e25), 10, workspace);
    CHECK(state.throughput.value() == Approx(1.0));
    CHECK(state.mean_present == Approx(10.0));
    CHECK(state.seen_by_arrival.first == 9);
    CHECK(state.probability_of_waiting == Approx(1.0));
}

TEST_CASE("At and past saturation an open station is overloaded") {
    const std::vector<double> mu{1.0, 5.0, 4.0};
    const ServiceRates rates(mu, 3);
    ChainWorkspace workspace;
    CHECK(std::holds_alternative<SteadyState>(solve_open(rates, PerSecond(3.999), workspace)));
    for (const double lambda : {4.0, 4.5, 6.0}) {
        const auto answer = solve_open(rates, PerSecond(lambda), workspace);
        REQUIRE(std::holds_alternative<Overload>(answer));
        CHECK(std::get<Overload>(answer).goodput.value() == 4.0);
        CHECK(std::get<Overload>(answer).shed_rate.value() == Approx(lambda - 4.0));
    }
}

TEST_CASE("Without load a request is alone") {
    const std::vector<double> mu{0.5, 0.8};
    const ServiceRates rates(mu, 2);
    ChainWorkspace workspace;
    const SteadyState closed = solve_closed(rates, 0, Seconds(3.0), workspace);
    const auto open = solve_open(rates, PerSecond(0.0), workspace);
    for (const SteadyState& state : {closed, std::get<SteadyState>(open)}) {
        CHECK(state.throughput.value() == 0.0);
        CHECK(state.mean_present == 0.0);
        CHECK(state.mean_response.value() == 2.0);
        CHECK(state.mean_wait.value() == 0.0);
        CHECK(state.probability_of_waiting == 0.0);
    }
}

TEST_CASE("The closed chain equals its definition in long double, rising or falling rates alike") {
    std::mt19937_64 random(11);
    ChainWorkspace workspace;
    for (int trial = 0; trial < 60; ++trial) {
        const bool noise = trial % 2 == 1;
        const auto levels = 1 + static_cast<std::size_t>(300.0 * uniform(random));
        const auto users = 1 + static_cast<std::size_t>(std::exp(8.0 * uniform(random)));
        const double think = std::exp(10.0 * uniform(random) - 4.0);
        const std::vector<double> mu = generated_rates(random, levels, noise);
        const ServiceRates rates(mu, levels);
        const std::vector<long double> expected = closed_by_logarithms(mu, users, think);
        const SteadyState state = solve_closed(rates, users, Seconds(think), workspace);
        double worst = 0.0;
        for (std::size_t n = 0; n <= users; ++n) {
            const bool listed = n >= state.present.first && n <= state.present.last();
            const double found = listed ? state.present.probability[n - state.present.first] : 0.0;
            worst = std::max(worst, std::abs(found - static_cast<double>(expected[n])));
        }
        CAPTURE(trial, levels, users, think);
        CHECK(worst < 1e-13);
        CHECK(total(state.present) == Approx(1.0).epsilon(1e-13));
        CHECK(total(state.seen_by_arrival) == Approx(1.0).epsilon(1e-13));
        // Little's law around the whole cycle: N = X (Z + R). X comes from completions, R from the number present.
        const double cycle = (Seconds(think) + state.mean_response).value();
        CHECK(state.throughput.value() * cycle == Approx(static_cast<double>(users)).epsilon(1e-11));
        CHECK(state.mean_in_service + state.mean_waiting == Approx(state.mean_present));
    }
}

TEST_CASE("Weights over thousands of decades neither overflow nor vanish, through a valley too") {
    // Up by 1e6 for 40 states, down by 1e-6 for 60, up again by 1e6 for 60: the second peak, 1e240 above the first,
    // wins.
    std::vector<double> mu(180, 1e-6);
    std::fill(mu.begin() + 40, mu.begin() + 100, 1e6);
    ChainWorkspace workspace;
    const SteadyState state = solve_open_with_room(ServiceRates(mu, 180), PerSecond(1.0), 180, workspace);
    // From the full room down the weights are 1, 1e-6, ...: mean present = 180 - 1e-6 to first order.
    CHECK(state.mean_present == Approx(180.0 - 1e-6).epsilon(1e-12));
    CHECK(state.throughput.value() == Approx(1e-6).epsilon(1e-9));
    const SteadyState crowded = solve_closed(ServiceRates(mu, 180), 20000, Seconds(1e-3), workspace);
    CHECK(crowded.throughput.value() == Approx(1e-6).epsilon(1e-9));
}

TEST_CASE("An arrival to the closed chain sees the chain with one user fewer") {
    std::mt19937_64 random(5);
    ChainWorkspace workspace;
    ChainWorkspace fewer;
    for (const std::size_t users : {2U, 17U, 400U}) {
        const std::vector<double> mu = generated_rates(random, 64, users == 17);
        const ServiceRates rates(mu, 32);
        const StateDistribution seen = solve_closed(rates, users, Seconds(9.0), workspace).seen_by_arrival;
        const StateDistribution other = solve_closed(rates, users - 1, Seconds(9.0), fewer).present;
        for (std::size_t n = std::max(seen.first, other.first); n <= std::min(seen.last(), other.last()); ++n)
            CHECK(seen.probability[n - seen.first] ==
                  Approx(other.probability[n - other.first]).margin(1e-15).epsilon(1e-10));
    }
}

TEST_CASE("Throughput and response grow with users and with arrivals") {
    std::mt19937_64 random(3);
    ChainWorkspace workspace;
    for (int trial = 0; trial < 10; ++trial) {
        const std::vector<double> mu = generated_rates(random, 50, false);
        const ServiceRates rates(mu, 40);
        SteadyState before = solve_closed(rates, 1, Seconds(7.0), workspace);
        for (std::size_t users = 2; users < 400; users += 7) {
            const SteadyState state = solve_closed(rates, users, Seconds(7.0), workspace);
            CHECK(state.throughput.value() >= before.throughput.value() * (1.0 - 1e-14));
            CHECK(state.mean_response >= before.mean_response * (1.0 - 1e-12));
            CHECK(state.throughput < rates.peak() * (1.0 + 1e-14));
            before = state;
        }
        Seconds response(0.0);
        for (double load = 0.05; load < 1.0; load += 0.05) {
            const auto answer = solve_open(rates, load * rates.saturated(), workspace);
            const SteadyState& state = std::get<SteadyState>(answer);
            CHECK(state.mean_response >= response);
            CHECK(total(state.present) == Approx(1.0).epsilon(1e-13));
            response = state.mean_response;
        }
    }
}

TEST_CASE("Completions of an open chain balance its arrivals") {
    std::mt19937_64 random(8);
    ChainWorkspace workspace;
    for (const bool noise : {false, true})
        for (const double load : {0.01, 0.3, 0.6, 0.9, 0.999}) {
            const std::vector<double> mu = generated_rates(random, 120, noise);
            const ServiceRates rates(mu, 120);
            const PerSecond arrivals = load * rates.saturated();
            const auto answer = solve_open(rates, arrivals, workspace);
            const StateDistribution& p = std::get<SteadyState>(answer).present;
            double completed = p.tail_mass * rates.saturated().value();
            for (std::size_t n = p.first; n <= p.last(); ++n) completed += p.probability[n - p.first] * rates.rate(n);
            CHECK(completed == Approx(arrivals.value()).epsilon(1e-11));
        }
}

TEST_CASE("A large finite room is an infinite one") {
    const std::vector<double> mu{1.0, 1.8, 2.4};
    const ServiceRates rates(mu, 2);
    ChainWorkspace workspace;
    const SteadyState room = solve_open_with_room(rates, PerSecond(2.0), 500, workspace);
    const double roomy_wait = room.mean_wait.value();
    const auto answer = solve_open(rates, PerSecond(2.0), workspace);
    const SteadyState& open = std::get<SteadyState>(answer);
    CHECK(roomy_wait == Approx(open.mean_wait.value()).epsilon(1e-10));
    CHECK(room.mean_response.value() == Approx(open.mean_response.value()).epsilon(1e-10));
    CHECK(room.probability_of_waiting == Approx(open.probability_of_waiting).epsilon(1e-10));
}
