#include "model/cost/routing.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/base/error.hpp"

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

}  // namespace plimsoll
