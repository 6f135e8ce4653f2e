#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "simulator/histogram.hpp"

namespace plimsoll {

/// Errors predicted / measured - 1 over rows or requests.
struct ErrorSummary {
    int n = 0;
    double median = 0, p90 = 0;  ///< of the absolute errors
    double bias = 0;             ///< mean of the errors with their signs
    double middle = 0;           ///< their median
};

[[nodiscard]] inline ErrorSummary summary_of(const std::vector<double>& errors) {
    ErrorSummary summary{.n = static_cast<int>(errors.size())};
    if (errors.empty()) return summary;
    std::vector<double> sizes;
    for (const double error : errors) {
        sizes.push_back(std::abs(error));
        summary.bias += error / static_cast<double>(errors.size());
    }
    summary.median = exact_quantile(sizes, 0.5);
    summary.p90 = exact_quantile(sizes, 0.9);
    std::vector<double> with_signs = errors;
    summary.middle = exact_quantile(with_signs, 0.5);
    return summary;
}

}  // namespace plimsoll
