#pragma once
#include <string>

namespace plimsoll {

/// A bound as messages name it: "1,000,000" and not "1e+06"; what is small, not whole or beyond 1e15 as it is.
[[nodiscard]] std::string limit_text(double limit);

}  // namespace plimsoll
