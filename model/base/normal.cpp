#include "model/base/normal.hpp"

#include <cmath>

namespace plimsoll {

double normal_quantile(double probability) {
    double low = -40.0, high = 40.0;
    for (int i = 0; i < 80; ++i) {
        const double middle = 0.5 * (low + high);
        (0.5 * std::erfc(-middle / std::sqrt(2.0)) < probability ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

}  // namespace plimsoll
