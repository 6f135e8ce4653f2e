#pragma once
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace plimsoll::emulated {

/// A binary floating-point number of IEEE 754's form, rounded to nearest even.
template <int ExponentBits, int MantissaBits>
class NarrowFloat {
  public:
    using Bits = std::conditional_t<(ExponentBits + MantissaBits > 7), std::uint16_t, std::uint8_t>;

    NarrowFloat() = default;
    explicit NarrowFloat(float value) : bits_(encoded(value)) {}
    static NarrowFloat from_bits(Bits bits) {
        NarrowFloat result;
        result.bits_ = bits;
        return result;
    }

    operator float() const {
        const int exponent = bits_ >> MantissaBits & most_exponent, mantissa = bits_ & (one - 1);
        const float sign = bits_ >> (ExponentBits + MantissaBits) & 1 ? -1.0F : 1.0F;
        if (exponent == most_exponent) return mantissa != 0 ? NAN : sign * INFINITY;
        if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), least_power);
        return sign * std::ldexp(static_cast<float>(mantissa + one), exponent - 1 + least_power);
    }

  private:
    static constexpr int one = 1 << MantissaBits, most_exponent = (1 << ExponentBits) - 1;
    static constexpr int least_power = 2 - (1 << (ExponentBits - 1)) - MantissaBits;  // of the smallest number

    static Bits encoded(float value) {
        const int sign = (std::signbit(value) ? 1 : 0) << (ExponentBits + MantissaBits);
        if (std::isnan(value)) return static_cast<Bits>(sign | (most_exponent << MantissaBits) | 1);
        const float size = std::fabs(value);
        int power = least_power;
        if (size > 0 && std::isfinite(size)) power = std::max(least_power, std::ilogb(size) - MantissaBits);
        // In units of the last place; rounding may carry into the exponent, as the encoding wants it.
        const float units = std::isfinite(size) ? std::nearbyint(std::ldexp(size, -power)) : size;
        const double code =
            std::isfinite(size) ? static_cast<double>(units) + (power - least_power) * double{one} : 1e9;
        const double infinite = double{most_exponent} * one;
        return static_cast<Bits>(sign | static_cast<int>(std::min(code, infinite)));
    }

    Bits bits_ = 0;
};

}  // namespace plimsoll::emulated
