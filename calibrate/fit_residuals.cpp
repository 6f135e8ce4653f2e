#include "calibrate/fit_residuals.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

/// Between sorted values, at share (i + 1/2) / n the i-th one: what is expected of a sample's order.
double sorted_quantile(const std::vector<double>& sorted, double share) {
    const double at =
        std::clamp(share * static_cast<double>(sorted.size()) - 0.5, 0.0, static_cast<double>(sorted.size() - 1));
    const auto below = static_cast<std::size_t>(at);
    const auto above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Residuals residuals_from(std::vector<double> logs) {
    constexpr std::size_t stored = 41;
    Residuals result;
    result.count = logs.size();
    if (logs.empty()) return result;
    std::vector<double> errors;
    for (const double log : logs) {
        const double error = std::exp(-log) - 1;  // predicted / measured - 1
        result.bias += error / static_cast<double>(logs.size());
        result.mean_ape += std::abs(error) / static_cast<double>(logs.size());
        errors.push_back(std::abs(error));
    }
    std::sort(logs.begin(), logs.end());
    std::sort(errors.begin(), errors.end());
    result.median_ape = sorted_quantile(errors, 0.5);
    result.p90_ape = sorted_quantile(errors, 0.9);
    for (std::size_t i = 0; i < stored; ++i)
        result.quantiles.push_back(sorted_quantile(logs, static_cast<double>(i) / (stored - 1)));
    return result;
}

double quantile(const Residuals& residuals, double share) {
    const double at = share * static_cast<double>(residuals.quantiles.size() - 1);
    const auto below = std::min(static_cast<std::size_t>(at), residuals.quantiles.size() - 2);
    return residuals.quantiles[below] +
           (at - static_cast<double>(below)) * (residuals.quantiles[below + 1] - residuals.quantiles[below]);
}

}  // namespace plimsoll
