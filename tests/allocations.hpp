#pragma once
#include <cstdint>

/// Calls of operator new in the test program so far.
std::uint64_t allocations();
