#pragma once
#include <algorithm>
#include <cstddef>

#include "model/capacity/chain.hpp"

namespace plimsoll {

/// Calls `visit(weight, first moment of n)` for up to `groups` runs of neighbouring states.
template <class Visit>
void by_groups(const StateDistribution& states, Visit visit) {
    constexpr std::size_t groups = 32;
    const std::size_t size = states.probability.size(), width = std::max<std::size_t>(1, size / groups);
    for (std::size_t begin = 0; begin < size; begin += width) {
        double weight = 0, moment = 0;
        for (std::size_t i = begin; i < std::min(size, begin + width); ++i) {
            weight += states.probability[i];
            moment += states.probability[i] * static_cast<double>(states.first + i);
        }
        if (weight > 1e-15) visit(weight, moment / weight);
    }
    if (states.tail_mass > 0)
        visit(states.tail_mass, static_cast<double>(states.last()) + 1.0 / (1.0 - states.tail_ratio));
}

}  // namespace plimsoll
