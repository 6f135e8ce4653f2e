#pragma once

namespace plimsoll {

/// Inverse of the standard normal law, by bisection on erfc: exact to double precision and slow, for tables only.
[[nodiscard]] double normal_quantile(double probability);

/// Mean of the largest of `count` independent standard normal numbers, at most 1024 of them (more count as 1024).
[[nodiscard]] double expected_largest_normal(int count);

}  // namespace plimsoll
