#include "model/cost/routing.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

/// Draws `top_k` different experts one after the other in proportion to what is left, for each token.
double drawn_distinct(const std::vector<double>& shares, int top_k, int tokens, int runs) {
    std::mt19937_64 random(7);
    double sum = 0;
    for (int run = 0; run < runs; ++run) {
        std::set<std::size_t> reached;
        for (int token = 0; token < tokens; ++token) {
            std::vector<double> left = shares;
            for (int i = 0; i < top_k; ++i) {
                std::discrete_distribution<std::size_t> pick(left.begin(), left.end());
                const std::size_t expert = pick(random);
                reached.insert(expert);
                left[expert] = 0;
            }
        }
        sum += static_cast<double>(reached.size());
    }
    return sum / runs;
}

std::vector<double> zipf(int experts, double skew) {
    std::vector<double> shares;
    for (int i = 1; i <= experts; ++i) shares.push_back(std::pow(i, -skew));
    return shares;
}

}  // namespace

TEST_CASE("routing: tokens spread evenly reach E (1 - (1 - k / E)^T) experts") {
    const auto p = expert_probabilities({.experts = 8, .top_k = 2});
    CHECK(expected_distinct_experts(p, 1) == Approx(2));
    CHECK(expected_distinct_experts(p, 2) == Approx(3.5));    // 8 (1 - 9 / 16)
    CHECK(expected_distinct_experts(p, 3) == Approx(4.625));  // 8 (1 - 27 / 64)
    CHECK(expected_distinct_experts(p, 1e6) == Approx(8));
}

TEST_CASE("routing: a skewed router reaches as many experts as drawing them does") {
    for (const double skew : {0.5, 1.0})
        for (const int tokens : {1, 4, 16, 64}) {
            INFO(skew << " " << tokens);
            const auto p = expert_probabilities({.experts = 64, .top_k = 6, .skew = skew});
            CHECK(std::accumulate(p.begin(), p.end(), 0.0) == Approx(6).epsilon(1e-9));
            CHECK(std::is_sorted(p.rbegin(), p.rend()));
            CHECK(expected_distinct_experts(p, tokens) ==
                  Approx(drawn_distinct(zipf(64, skew), 6, tokens, 400)).epsilon(0.02));
        }
}

TEST_CASE("routing: every expert of a token that goes to all of them") {
    for (const double p : expert_probabilities({.experts = 4, .top_k = 4, .skew = 1.5})) CHECK(p == 1.0);
    const std::vector<double> shares{0.7, 0.1, 0.1, 0.1};
    const auto p = expert_probabilities({.experts = 4, .top_k = 1, .skew = 0, .shares = shares});
    CHECK(p[0] > 0.5);
    CHECK(p[1] == Approx(p[3]));
}
