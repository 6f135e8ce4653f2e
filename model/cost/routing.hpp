#pragma once
#include <vector>

namespace plimsoll {

/// How a mixture's router spreads tokens over its experts.
struct Routing {
    int experts = 1;
    int top_k = 1;                    ///< different experts that each token is sent to
    double skew = 0;                  ///< exponent of Zipf's law of their popularity; 0: all alike
    std::vector<double> shares = {};  ///< given popularities instead, one an expert; empty: by the skew
};

/// Probability of each expert to be among the `top_k` of a token: all alike k / E. Otherwise as if each expert rang
/// after an exponential time with the rate of its popularity and the first k were taken (weighted sampling without
/// replacement, Efraimidis and Spirakis 2006), with the k-th ring at its mean time: 1 - exp(-share t), t such that they
/// sum to k.
[[nodiscard]] std::vector<double> expert_probabilities(const Routing& routing);

/// Experts that at least one of `tokens` is sent to, on the mean: the sum of 1 - (1 - p)^tokens.
[[nodiscard]] double expected_distinct_experts(const std::vector<double>& probabilities, double tokens);

}  // namespace plimsoll
