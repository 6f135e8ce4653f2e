#pragma once

namespace plimsoll {

/// Two bounds that need not lie evenly around a value.
struct Interval {
    double low = 0, high = 0;
};

}  // namespace plimsoll
