#pragma once
#include <cstdint>
#include <functional>

namespace plimsoll {

/// Calls task(0) .. task(count - 1), each once, on up to `threads` threads (at least 1). When tasks throw, all are
/// still tried and the failure of the lowest index is thrown.
void in_parallel(std::uint32_t count, std::uint32_t threads, const std::function<void(std::uint32_t)>& task);

}  // namespace plimsoll
