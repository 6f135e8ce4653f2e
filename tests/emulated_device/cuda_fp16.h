#pragma once
#include <cstdint>

#include "tests/emulated_device/narrow_float.hpp"

using __half = plimsoll::emulated::NarrowFloat<5, 10>;
struct __half2 {
    __half x, y;
};
inline float __half2float(__half value) {
    return value;
}
inline __half __float2half_rn(float value) {
    return __half(value);
}
inline __half2 __floats2half2_rn(float x, float y) {
    return {__half(x), __half(y)};
}
