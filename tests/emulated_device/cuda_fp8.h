#pragma once
#include "tests/emulated_device/narrow_float.hpp"

/// Products of 8 bits are the library's: no kernel under test computes with it.
using __nv_fp8_e4m3 = plimsoll::emulated::NarrowFloat<4, 3>;
