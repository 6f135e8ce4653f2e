#pragma once

namespace plimsoll {

/// Inverse of the standard normal law, by bisection on erfc: exact to double precision and slow, for tables only.
[[nodiscard]] double normal_quantile(double probability);

}  // namespace plimsoll
