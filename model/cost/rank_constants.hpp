#pragma once
#include <span>
#include <string_view>

#include "model/cost/kernel_form.hpp"

namespace plimsoll {

/// The numbers of ranks for which a form of a collective has constants: 2, 4, 8, 16.
inline constexpr std::size_t constant_rank_count = 4;

/// The constant for `ranks`: between two of those numbers logarithms are interpolated.
[[nodiscard]] double at_ranks(std::span<const double> values, double ranks);

/// A form of the collective with a latency and a bandwidth for each of those numbers, in this order; told apart by
/// bytes and ranks. What it lacks is its `time`, and constants of its own behind these.
[[nodiscard]] KernelForm form_by_ranks(std::string_view collective);

}  // namespace plimsoll
