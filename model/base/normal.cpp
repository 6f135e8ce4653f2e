#include "model/base/normal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace plimsoll {

double normal_quantile(double probability) {
    double low = -40.0, high = 40.0;
    for (int i = 0; i < 80; ++i) {
        const double middle = 0.5 * (low + high);
        (0.5 * std::erfc(-middle / std::sqrt(2.0)) < probability ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

namespace {

/// E[max] = b - integral from -b to b of F(x)^n, by trapezoids, F the law of one and b beyond any of them.
std::vector<double> means_of_largest(std::size_t most) {
    constexpr std::size_t steps = 512;
    constexpr double bound = 8.0, width = 2.0 * bound / steps;
    std::array<double, steps + 1> law{}, power{};
    for (std::size_t i = 0; i <= steps; ++i)
        law[i] = 0.5 * std::erfc((bound - static_cast<double>(i) * width) / std::sqrt(2.0));
    power.fill(1.0);
    std::vector<double> means(most + 1);
    for (std::size_t n = 1; n <= most; ++n) {
        double sum = 0;
        for (std::size_t i = 0; i <= steps; ++i) {
            power[i] *= law[i];
            sum += i == 0 || i == steps ? power[i] / 2 : power[i];
        }
        means[n] = bound - sum * width;
    }
    return means;
}

}  // namespace

double expected_largest_normal(int count) {
    static const std::vector<double> means = means_of_largest(1024);
    return means[std::min(static_cast<std::size_t>(count), means.size() - 1)];
}

}  // namespace plimsoll
