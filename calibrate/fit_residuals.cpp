#include "calibrate/fit_residuals.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace plimsoll {
namespace {

/// A value and how many rows it stands for.
struct Weighed {
    double value, weight;
};

/// Between sorted values, each at the share of the weights below it and half its own: (i + 1/2) / n where all weigh
/// the same, which is what is expected of a sample's order.
double sorted_quantile(const std::vector<Weighed>& sorted, double share) {
    double total = 0;
    for (const Weighed& one : sorted) total += one.weight;
    double below = 0, at = 0;
    const Weighed* last = nullptr;
    for (const Weighed& one : sorted) {
        const double position = below + one.weight / 2;
        if (position >= share * total) {
            if (last == nullptr) return one.value;
            return last->value + (share * total - at) / (position - at) * (one.value - last->value);
        }
        below += one.weight, at = position, last = &one;
    }
    return sorted.back().value;
}

}  // namespace

Residuals residuals_from(const std::vector<double>& logs, std::vector<double> weights) {
    constexpr std::size_t stored = 41;
    Residuals result;
    result.count = logs.size();
    if (logs.empty()) return result;
    weights.resize(logs.size(), 1.0);
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<Weighed> errors, sorted;
    for (std::size_t i = 0; i < logs.size(); ++i) {
        const double error = std::exp(-logs[i]) - 1;  // predicted / measured - 1
        result.bias += error * weights[i] / total;
        result.mean_ape += std::abs(error) * weights[i] / total;
        errors.push_back({std::abs(error), weights[i]});
        sorted.push_back({logs[i], weights[i]});
    }
    const auto less = [](const Weighed& a, const Weighed& b) { return a.value < b.value; };
    std::stable_sort(sorted.begin(), sorted.end(), less);
    std::stable_sort(errors.begin(), errors.end(), less);
    result.median_ape = sorted_quantile(errors, 0.5);
    result.p90_ape = sorted_quantile(errors, 0.9);
    for (std::size_t i = 0; i < stored; ++i)
        result.quantiles.push_back(sorted_quantile(sorted, static_cast<double>(i) / (stored - 1)));
    return result;
}

double quantile(const Residuals& residuals, double share) {
    const double at = share * static_cast<double>(residuals.quantiles.size() - 1);
    const auto below = std::min(static_cast<std::size_t>(at), residuals.quantiles.size() - 2);
    return residuals.quantiles[below] +
           (at - static_cast<double>(below)) * (residuals.quantiles[below + 1] - residuals.quantiles[below]);
}

}  // namespace plimsoll
