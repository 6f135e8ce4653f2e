#include "stepper_draws.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace plimsoll {
namespace {

/// The output function of splitmix64 (Steele, Lea, Flood 2014).
std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

}  // namespace

/// Strictly between 0 and 1.
double RequestDraws::hashed(int request, Coordinate coordinate) const {
    constexpr std::uint64_t golden = 0x9E3779B97F4A7C15ULL;
    const std::uint64_t stream = mix(seed_ * 4 + static_cast<std::uint64_t>(coordinate) + golden);
    const std::uint64_t bits = mix(stream + golden * (static_cast<std::uint64_t>(request) + 1));
    return (static_cast<double>(bits >> 11) + 0.5) * 0x1.0p-53;
}

double RequestDraws::uniform(int request, Coordinate coordinate) const {
    if (draws_ == Draws::independent) return hashed(request, coordinate);
    // The additive sequence in three dimensions, 1/g, 1/g^2, 1/g^3 with g^4 = g + 1 (Roberts 2018).
    constexpr std::array<double, 3> steps{0.8191725134, 0.6710436067, 0.5497004779};
    const double x = 0.5 + steps[static_cast<std::size_t>(coordinate)] * (request + 1);
    return x - std::floor(x);
}

double RequestDraws::prompt(int request) const {
    return std::max(1.0, std::round(workload_->prompt.quantile(uniform(request, Coordinate::prompt))));
}

double RequestDraws::output(int request) const {
    return std::max(1.0, std::round(workload_->output.quantile(uniform(request, Coordinate::output))));
}

double RequestDraws::think_seconds(int request) const {
    return think_time_->quantile(uniform(request, Coordinate::think_time));
}

double RequestDraws::gap(int request) const {
    return -std::log(hashed(request, Coordinate::gap));
}

}  // namespace plimsoll
