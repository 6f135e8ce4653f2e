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

/// Experts dealt to ranks at random, tokens drawn as above: what the rank with most rows and the one with most reached
/// experts have, and the ranks that a token reaches, means over runs.
struct Drawn {
    double rows = 0, experts = 0, ranks = 0;
};
Drawn drawn_fullest(const std::vector<double>& shares, int top_k, int tokens, int ranks, int runs) {
    std::mt19937_64 random(11);
    Drawn sum;
    std::vector<std::size_t> place(shares.size());
    for (std::size_t i = 0; i < place.size(); ++i) place[i] = i % static_cast<std::size_t>(ranks);
    for (int run = 0; run < runs; ++run) {
        std::shuffle(place.begin(), place.end(), random);
        std::vector<int> rows(static_cast<std::size_t>(ranks));
        std::vector<std::set<std::size_t>> reached(rows.size());
        for (int token = 0; token < tokens; ++token) {
            std::vector<double> left = shares;
            std::set<std::size_t> own;
            for (int i = 0; i < top_k; ++i) {
                std::discrete_distribution<std::size_t> pick(left.begin(), left.end());
                const std::size_t expert = pick(random);
                left[expert] = 0;
                ++rows[place[expert]];
                reached[place[expert]].insert(expert);
                own.insert(place[expert]);
            }
            sum.ranks += static_cast<double>(own.size()) / tokens;
        }
        sum.rows += *std::max_element(rows.begin(), rows.end());
        std::size_t most = 0;
        for (const auto& experts : reached) most = std::max(most, experts.size());
        sum.experts += static_cast<double>(most);
    }
    return {sum.rows / runs, sum.experts / runs, sum.ranks / runs};
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

TEST_CASE("routing: a token reaches as many ranks as cards dealt") {
    // Two of four experts, two ranks of two: both on one rank in 2 of 6 pairs, so 1 + 4 / 6.
    CHECK(expected_ranks({.experts = 4, .top_k = 2}, 2) == Approx(5.0 / 3.0));
    CHECK(expected_ranks({.experts = 8, .top_k = 8}, 4) == Approx(4));
    CHECK(expected_ranks({.experts = 256, .top_k = 1}, 8) == Approx(1));
    CHECK(expected_ranks({.experts = 64, .top_k = 6}, 1) == Approx(1));
    // Two groups of two, one of them chosen: its rank, or the two ranks of its experts.
    const Routing pairs{.experts = 4, .top_k = 2, .groups = 2, .reached_groups = 1};
    CHECK(expected_ranks(pairs, 1) == Approx(1));
    CHECK(expected_ranks(pairs, 2) == Approx(1));
    CHECK(expected_ranks(pairs, 4) == Approx(2));
    // DeepSeek-V3: 8 experts in 4 of 8 groups of 32; none in one of those four: C(96, 8) / C(128, 8) = 0.0927473.
    const Routing limited{.experts = 256, .top_k = 8, .groups = 8, .reached_groups = 4};
    CHECK(expected_ranks(limited, 8) == Approx(4 * (1 - 0.0927473)).epsilon(1e-5));
    CHECK(expected_ranks(limited, 1) == Approx(1));
    // Four ranks of two groups: a rank has one of those chosen in 40 of 70 cases, missed by C(96, 8) / C(128, 8), and
    // both in 15, missed by C(64, 8) / C(128, 8) = 0.0031.
    CHECK(expected_ranks(limited, 4) == Approx(4 * (40 * (1 - 0.0927473) + 15 * (1 - 0.0031)) / 70).epsilon(1e-4));
    // 32 ranks of a quarter of a group: half are of a group that is chosen, missed by C(120, 8) / C(128, 8) = 0.5877.
    CHECK(expected_ranks(limited, 32) == Approx(16 * (1 - 0.58772)).epsilon(1e-4));
    for (const double skew : {0.0, 1.0})
        CHECK(expected_ranks({.experts = 64, .top_k = 6}, 8) ==
              Approx(drawn_fullest(zipf(64, skew), 6, 16, 8, 200).ranks).epsilon(0.01));
}

TEST_CASE("routing: the fullest rank gets what drawing gives it") {
    for (const double skew : {0.0, 0.5, 1.0})
        for (const int ranks : {2, 8})
            for (const int tokens : {4, 32, 256}) {
                INFO(skew << " " << ranks << " ranks " << tokens << " tokens");
                const Routing routing{.experts = 64, .top_k = 6, .skew = skew};
                const FullestRank fullest = fullest_rank(routing, expert_probabilities(routing), tokens, ranks);
                const Drawn drawn = drawn_fullest(zipf(64, skew), 6, tokens, ranks, 300);
                // One expert of a steep law weighs as much as a rank: no longer a normal sum.
                const double error = skew < 1.0 ? 0.06 : 0.1;
                CHECK(fullest.rows == Approx(drawn.rows).epsilon(error));
                CHECK(fullest.experts == Approx(drawn.experts).epsilon(error));
                CHECK(fullest.imbalance == Approx(fullest.rows * ranks / (tokens * 6)));
            }
}

TEST_CASE("routing: many tokens of an even router load all ranks alike") {
    const Routing routing{.experts = 128, .top_k = 8};
    const auto p = expert_probabilities(routing);
    double before = 1e9;
    for (const double tokens : {1.0, 10.0, 1e3, 1e5, 1e7}) {
        const FullestRank fullest = fullest_rank(routing, p, tokens, 8);
        CHECK(fullest.imbalance < before);
        CHECK(fullest.imbalance >= 1.0);
        CHECK(fullest.experts <= 16.0 + 1e-9);
        before = fullest.imbalance;
    }
    CHECK(before == Approx(1).epsilon(1e-3));
    CHECK(fullest_rank(routing, p, 100, 1).imbalance == 1.0);
}

TEST_CASE("routing: every expert of a token that goes to all of them") {
    for (const double p : expert_probabilities({.experts = 4, .top_k = 4, .skew = 1.5})) CHECK(p == 1.0);
    const std::vector<double> shares{0.7, 0.1, 0.1, 0.1};
    const auto p = expert_probabilities({.experts = 4, .top_k = 1, .skew = 0, .shares = shares});
    CHECK(p[0] > 0.5);
    CHECK(p[1] == Approx(p[3]));
}
