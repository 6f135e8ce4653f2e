#pragma once
#include <vector>

namespace plimsoll {

/// How a mixture's router spreads tokens over its experts.
struct Routing {
    int experts = 1;
    int top_k = 1;                    ///< different experts that each token is sent to
    int groups = 1;                   ///< of experts, of which a token's experts are chosen in ...
    int reached_groups = 1;           ///< ... so many (group-limited gating, arXiv 2405.04434, section 2.2.2)
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

/// Expert ranks that a token is sent to, on the mean, where experts lie on ranks without regard to their popularity:
/// ranks (1 - C(E - E / ranks, k) / C(E, k)), E experts, k different ones a token; where a token keeps to some groups
/// of experts, which lie together, the mean over the groups that it may choose. DeepEP's dispatch sends a token once to
/// a rank, however many of its experts are there (deepseek-ai/DeepEP, `get_dispatch_layout`).
[[nodiscard]] double expected_ranks(const Routing& routing, int ranks);

/// What the fullest of some expert ranks is expected to get of a step.
struct FullestRank {
    double rows = 0;       ///< tokens for experts of the rank, one for each expert that a token is sent to
    double experts = 0;    ///< of the rank that at least one token is sent to
    double imbalance = 1;  ///< rows over those of the mean rank
};

/// Mean + deviation x the mean of the largest of as many normal numbers (which sum to a constant, so that the deviation
/// counts sqrt(ranks / (ranks - 1)) times). The variance over ranks has two parts: tokens choose by chance, which gives
/// sum p (1 - p) tokens / ranks (1 - 1 / ranks), and experts lie on ranks without regard to their popularity (no load
/// balancer), which gives the variance of a sample mean without replacement. `probabilities`: [experts], of
/// expert_probabilities.
[[nodiscard]] FullestRank fullest_rank(const Routing& routing, const std::vector<double>& probabilities, double tokens,
                                       int ranks);

}  // namespace plimsoll
