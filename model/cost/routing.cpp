#include "model/cost/routing.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/base/error.hpp"
#include "model/base/normal.hpp"

namespace plimsoll {
namespace {

std::vector<double> popularity(const Routing& routing) {
    if (!routing.shares.empty()) return routing.shares;
    std::vector<double> shares;
    for (int i = 1; i <= routing.experts; ++i) shares.push_back(std::pow(i, -routing.skew));
    return shares;
}

double ringing_by(const std::vector<double>& shares, double time) {
    double sum = 0;
    for (const double share : shares) sum -= std::expm1(-share * time);
    return sum;
}

}  // namespace

std::vector<double> expert_probabilities(const Routing& routing) {
    PLIMSOLL_ASSERT(routing.top_k >= 1 && routing.top_k <= routing.experts);
    const double k = routing.top_k;
    std::vector<double> shares = popularity(routing);
    const auto [least, most] = std::minmax_element(shares.begin(), shares.end());
    if (*least == *most) return std::vector<double>(shares.size(), k / static_cast<double>(shares.size()));
    if (routing.top_k == routing.experts) return std::vector<double>(shares.size(), 1.0);
    const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
    for (double& share : shares) share /= total;
    double low = 0, high = k;
    while (ringing_by(shares, high) < k) high *= 2;
    for (int i = 0; i < 100; ++i) {
        const double middle = 0.5 * (low + high);
        (ringing_by(shares, middle) < k ? low : high) = middle;
    }
    for (double& share : shares) share = -std::expm1(-share * high);
    return shares;
}

double expected_distinct_experts(const std::vector<double>& probabilities, double tokens) {
    double distinct = 0;
    for (const double p : probabilities) distinct += 1.0 - std::pow(1.0 - p, tokens);
    return distinct;
}

namespace {

/// C(whole - part, chosen) / C(whole, chosen): that `chosen` different ones of `whole` are none of `part`.
double missed(double whole, double part, int chosen) {
    double share = 1;
    for (int i = 0; i < chosen; ++i) share *= std::max(0.0, whole - part - i) / (whole - i);
    return share;
}

double choose(int whole, int chosen) {
    if (chosen > whole) return 0;
    double ways = 1;
    for (int i = 0; i < chosen; ++i) ways *= static_cast<double>(whole - i) / (i + 1);
    return ways;
}

}  // namespace

double expected_ranks(const Routing& routing, int ranks) {
    const int groups = routing.groups, reached = routing.reached_groups, k = routing.top_k;
    const double group = static_cast<double>(routing.experts) / groups, chosen = reached * group;
    const double here = static_cast<double>(routing.experts) / ranks;
    if (here < group) return ranks * (static_cast<double>(reached) / groups) * (1.0 - missed(chosen, here, k));
    // A rank has whole groups: j of them are among those reached with the hypergeometric law.
    const int own = static_cast<int>(here / group);
    double some = 0;
    for (int j = 1; j <= std::min(own, reached); ++j)
        some += choose(own, j) * choose(groups - own, reached - j) * (1.0 - missed(chosen, j * group, k));
    return ranks * some / choose(groups, reached);
}

namespace {

/// Of the sums over the ranks of what each expert gets: mean of an expert, variance by chance summed over experts,
/// variance between experts.
double fullest_of(int ranks, double experts, double mean, double chance, double between) {
    const double others = 1.0 - 1.0 / ranks;
    const double variance = (chance / ranks + experts / ranks * between) * others;
    return experts / ranks * mean + std::sqrt(variance / others) * expected_largest_normal(ranks);
}

}  // namespace

FullestRank fullest_rank(const Routing& routing, const std::vector<double>& probabilities, double tokens, int ranks) {
    const double experts = routing.experts, rows = tokens * routing.top_k;
    if (ranks == 1) return {.rows = rows, .experts = expected_distinct_experts(probabilities, tokens)};
    double chance = 0, squares = 0, reached = 0, reached_squares = 0;
    for (const double p : probabilities) {
        const double q = 1.0 - std::pow(1.0 - p, tokens);
        chance += p * (1.0 - p);
        squares += p * p;
        reached += q;
        reached_squares += q * q;
    }
    const auto between = [&](double sum, double sum_of_squares) {
        return std::max(0.0, sum_of_squares - sum * sum / experts) / (experts - 1.0);
    };
    const double here = experts / ranks;
    FullestRank fullest;
    fullest.rows =
        fullest_of(ranks, experts, rows / experts, tokens * chance, tokens * tokens * between(routing.top_k, squares));
    fullest.rows = std::min(fullest.rows, tokens * std::min<double>(routing.top_k, here));
    fullest.experts =
        fullest_of(ranks, experts, reached / experts, reached - reached_squares, between(reached, reached_squares));
    fullest.experts = std::min({fullest.experts, here, fullest.rows});
    fullest.imbalance = fullest.rows / (rows / ranks);
    return fullest;
}

}  // namespace plimsoll
