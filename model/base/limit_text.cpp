#include "model/base/limit_text.hpp"

#include <cmath>

#include <fmt/format.h>

namespace plimsoll {

std::string limit_text(double limit) {
    if (std::trunc(limit) != limit || std::abs(limit) < 1e6 || std::abs(limit) >= 1e15)
        return fmt::format("{:g}", limit);
    std::string digits = fmt::format("{:.0f}", limit);
    const std::size_t first = digits.starts_with('-') ? 1 : 0;
    for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
    return digits;
}

}  // namespace plimsoll
