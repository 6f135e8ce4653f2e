#pragma once
#include "tests/emulated_device/narrow_float.hpp"

using __nv_bfloat16 = plimsoll::emulated::NarrowFloat<8, 7>;
struct __nv_bfloat162 {
    __nv_bfloat16 x, y;
};
inline float __bfloat162float(__nv_bfloat16 value) {
    return value;
}
inline __nv_bfloat16 __float2bfloat16_rn(float value) {
    return __nv_bfloat16(value);
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
    return {__nv_bfloat16(x), __nv_bfloat16(y)};
}
