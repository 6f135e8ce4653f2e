#pragma once
#include "calibrate/kernel_operators.hpp"

namespace plimsoll {

/// What the timed rank of a mixture of experts was given, on the mean over draws where loads were drawn.
struct RoutedLoad {
    double tokens = 0;   ///< that its kernels start from
    double rows = 0;     ///< that its experts compute
    double experts = 0;  ///< of the rank that have at least one row
    double foreign = 0;  ///< choices of these tokens that fall to other ranks
};

/// The load of a row with the columns `num_tokens`, `topk`, `experts`, `ep` and `distribution`: "balanced", each token
/// by a stride of experts / topk, or "power_law_ALPHA". Rows whose `source` is "aiconfigurator" follow what the
/// collector of their `framework` did. Throws InputError at the row's place for another distribution and for sizes that
/// contradict each other.
[[nodiscard]] RoutedLoad routed_load(const TableCells& cells);

}  // namespace plimsoll
