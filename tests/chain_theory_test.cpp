#include <cmath>
#include <vector>

#include "model/capacity/chain.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

const double loads[] = {0.3, 0.6, 0.9};

long double factorial(int n) {
    return std::tgamma(static_cast<long double>(n) + 1.0L);
}

/// Erlang C by its definition: the chance that an arrival to M/M/c with offered load a waits.
double erlang_c(int servers, double a) {
    long double sum = 0.0L;
    for (int k = 0; k < servers; ++k) sum += std::pow(static_cast<long double>(a), k) / factorial(k);
    const long double full = std::pow(static_cast<long double>(a), servers) / factorial(servers) *
                             static_cast<long double>(servers) / (static_cast<long double>(servers) - a);
    return static_cast<double>(full / (sum + full));
}

/// mu(n) = min(n, servers) x `each`.
std::vector<double> servers_of(int servers, double each) {
    std::vector<double> mu;
    for (int n = 1; n <= servers; ++n) mu.push_back(n * each);
    return mu;
}

SteadyState open(const ServiceRates& rates, double arrivals, ChainWorkspace& workspace) {
    return std::get<SteadyState>(solve_open(rates, PerSecond(arrivals), workspace));
}

}  // namespace

TEST_CASE("M/M/1: mean number, wait and geometric tail") {
    ChainWorkspace workspace;
    for (const double mu : {0.02, 1.0, 250.0})
        for (const double rho : loads) {
            const std::vector<double> rate{mu};
            const SteadyState state = open(ServiceRates(rate, 1), rho * mu, workspace);
            CHECK(state.mean_present == Approx(rho / (1.0 - rho)));
            CHECK(state.mean_response.value() == Approx(1.0 / (mu - rho * mu)));
            CHECK(state.mean_wait.value() == Approx(rho / (mu - rho * mu)));
            CHECK(state.probability_of_waiting == Approx(rho));
            CHECK(state.utilisation == Approx(rho));
            for (const std::size_t n : {1U, 2U, 7U, 30U})
                CHECK(state.present.at_least(n) == Approx(std::pow(rho, static_cast<double>(n))));
        }
}

TEST_CASE("M/M/c: Erlang C") {
    ChainWorkspace workspace;
    for (const int servers : {1, 2, 8, 40, 150})
        for (const double rho : loads) {
            const double each = 0.25;
            const double lambda = rho * servers * each;
            const SteadyState state =
                open(ServiceRates(servers_of(servers, each), static_cast<std::size_t>(servers)), lambda, workspace);
            const double waits = erlang_c(servers, lambda / each);
            CAPTURE(servers, rho);
            CHECK(state.probability_of_waiting == Approx(waits).margin(1e-16));
            CHECK(state.mean_wait.value() == Approx(waits / (servers * each - lambda)).margin(1e-15));
            CHECK(state.mean_response.value() == Approx(1.0 / each + waits / (servers * each - lambda)));
            CHECK(state.mean_in_service == Approx(lambda / each));
        }
}

TEST_CASE("M/M/1 processor sharing: nobody waits, the mean response is that of M/M/1") {
    ChainWorkspace workspace;
    const std::vector<double> mu{4.0};
    for (const double rho : loads) {
        const SteadyState state = open(ServiceRates(mu, 100000), rho * 4.0, workspace);
        CHECK(state.mean_response.value() == Approx(0.25 / (1.0 - rho)));
        CHECK(state.mean_waiting == Approx(0.0).margin(1e-15));
    }
    // With 5 at once of a shared server the wait is what a number beyond 5 costs: L_q = rho^6 / (1 - rho), at rho = 1/2
    // 1/32, and an arrival finds 5 or more with rho^5.
    const SteadyState limited = open(ServiceRates(mu, 5), 2.0, workspace);
    CHECK(limited.mean_waiting == Approx(1.0 / 32.0));
    CHECK(limited.probability_of_waiting == Approx(1.0 / 32.0));
}

TEST_CASE("M/M/infinity: Poisson numbers") {
    ChainWorkspace workspace;
    for (const double mean : {0.3, 6.0, 90.0}) {
        const SteadyState state = open(ServiceRates(servers_of(400, 1.0), 400), mean, workspace);
        CHECK(state.mean_present == Approx(mean));
        CHECK(state.mean_response.value() == Approx(1.0));
        const int n = static_cast<int>(mean);
        const double poisson = std::exp(n * std::log(mean) - mean - std::lgamma(n + 1.0));
        const auto at = static_cast<std::size_t>(n);
        CHECK(state.present.probability[at - state.present.first] == Approx(poisson));
    }
}

TEST_CASE("Machine repair, one and several repairmen, by binomials and factorials") {
    // p(n) = C(N, n) r^n for n < c and C(N, n) n! / (c! c^(n - c)) r^n beyond, r = 1 / (Z mu).
    ChainWorkspace workspace;
    for (const int repairmen : {1, 3, 10})
        for (const int users : {1, 4, 25, 60})
            for (const double rho : loads) {
                const double think = users / (rho * repairmen);  // offered load near rho of the repairmen, mu = 1
                long double sum = 0.0L;
                long double present = 0.0L;
                long double served = 0.0L;
                for (int n = 0; n <= users; ++n) {
                    long double weight = factorial(users) / (factorial(n) * factorial(users - n)) *
                                         std::pow(1.0L / static_cast<long double>(think), n);
                    if (n > repairmen)
                        weight *= factorial(n) /
                                  (factorial(repairmen) * std::pow(static_cast<long double>(repairmen), n - repairmen));
                    sum += weight;
                    present += weight * n;
                    served += weight * std::min(n, repairmen);
                }
                const SteadyState state =
                    solve_closed(ServiceRates(servers_of(repairmen, 1.0), static_cast<std::size_t>(repairmen)),
                                 static_cast<std::size_t>(users), Seconds(think), workspace);
                CAPTURE(repairmen, users, rho);
                CHECK(state.throughput.value() == Approx(static_cast<double>(served / sum)).epsilon(1e-12));
                CHECK(state.mean_present == Approx(static_cast<double>(present / sum)).epsilon(1e-12));
                CHECK(state.mean_in_service == Approx(static_cast<double>(served / sum)).epsilon(1e-12));
            }
}

TEST_CASE("A server for every user: numbers are binomial") {
    // Each of 200 users is in service with probability S / (S + Z) = 2 / 10.
    ChainWorkspace workspace;
    const SteadyState state = solve_closed(ServiceRates(servers_of(200, 0.5), 200), 200, Seconds(8.0), workspace);
    CHECK(state.mean_present == Approx(40.0));
    CHECK(state.mean_response.value() == Approx(2.0));
    const StateDistribution& p = state.present;
    const double mode = std::exp(std::lgamma(201.0) - std::lgamma(41.0) - std::lgamma(161.0) + 40.0 * std::log(0.2) +
                                 160.0 * std::log(0.8));
    CHECK(p.probability[40 - p.first] == Approx(mode));
}

TEST_CASE("Limits of the closed chain in users and think time") {
    ChainWorkspace workspace;
    std::vector<double> mu;
    for (int n = 1; n <= 64; ++n) mu.push_back(n / (2.0 + 0.05 * n));
    const ServiceRates rates(mu, 64);
    SECTION("one user: a cycle is Z + 1 / mu(1)") {
        const SteadyState one = solve_closed(rates, 1, Seconds(30.0), workspace);
        CHECK(one.throughput.value() == Approx(1.0 / 32.05).epsilon(1e-14));
        CHECK(one.mean_response.value() == Approx(2.05).epsilon(1e-14));
        CHECK(one.probability_of_waiting == 0.0);
    }
    SECTION("many users: the throughput is mu(64), everyone else waits") {
        const SteadyState many = solve_closed(rates, 50000, Seconds(30.0), workspace);
        CHECK(many.throughput.value() == Approx(64.0 / 5.2).epsilon(1e-12));
        CHECK(many.mean_response.value() == Approx(50000.0 / (64.0 / 5.2) - 30.0).epsilon(1e-12));
        CHECK(many.mean_in_service == Approx(64.0));
        CHECK(many.probability_of_waiting == Approx(1.0));
    }
    SECTION("think time towards 0: all users present, and 0 itself continues it") {
        const SteadyState none = solve_closed(rates, 20, Seconds(0.0), workspace);
        CHECK(none.throughput.value() == Approx(20.0 / 3.0).epsilon(1e-14));
        CHECK(none.mean_response.value() == Approx(3.0).epsilon(1e-14));
        CHECK(none.seen_by_arrival.at_least(19) == Approx(1.0));
        CHECK(none.seen_by_arrival.at_least(20) == 0.0);
        for (const double think : {1e-6, 1e-12, 1e-18, 1e-24}) {
            const SteadyState some = solve_closed(rates, 20, Seconds(think), workspace);
            CHECK(some.throughput.value() == Approx(20.0 / 3.0).epsilon(1e-4));
            CHECK(some.seen_by_arrival.at_least(19) == Approx(1.0).epsilon(1e-4));
        }
    }
    SECTION("many users thinking long are a Poisson stream") {
        const SteadyState closed = solve_closed(rates, 2000000, Seconds(400000.0), workspace);
        const double response = closed.mean_response.value();
        const double wait = closed.mean_wait.value();
        const SteadyState poisson = open(rates, 5.0, workspace);
        CHECK(response == Approx(poisson.mean_response.value()).epsilon(1e-4));
        CHECK(wait == Approx(poisson.mean_wait.value()).margin(1e-8));
    }
}
