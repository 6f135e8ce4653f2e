#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace plimsoll::testing {

/// The upper one of the two in the middle where they are even in number; at least one.
inline double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace plimsoll::testing
