#pragma once
#include <cmath>

namespace plimsoll {

/// A number with its unit as a type: exponents of time [s], data [byte], arithmetic [flop], energy [J] and money [USD].
/// Quantities of one dimension add and compare; products and quotients have the derived dimension.
template <int Time, int Data, int Arithmetic, int Energy, int Money>
class Quantity {
  public:
    constexpr Quantity() = default;
    constexpr explicit Quantity(double value) : value_(value) {}

    /// The number in coherent units (s, byte, flop, J, USD).
    [[nodiscard]] constexpr double value() const { return value_; }
    [[nodiscard]] bool finite() const { return std::isfinite(value_); }

    constexpr Quantity& operator+=(Quantity other) {
        value_ += other.value_;
        return *this;
    }
    constexpr Quantity& operator-=(Quantity other) {
        value_ -= other.value_;
        return *this;
    }
    constexpr Quantity& operator*=(double factor) {
        value_ *= factor;
        return *this;
    }
    constexpr Quantity& operator/=(double divisor) {
        value_ /= divisor;
        return *this;
    }

    friend constexpr Quantity operator+(Quantity a, Quantity b) { return Quantity(a.value_ + b.value_); }
    friend constexpr Quantity operator-(Quantity a, Quantity b) { return Quantity(a.value_ - b.value_); }
    friend constexpr Quantity operator-(Quantity a) { return Quantity(-a.value_); }
    friend constexpr Quantity operator*(Quantity a, double factor) { return Quantity(a.value_ * factor); }
    friend constexpr Quantity operator*(double factor, Quantity a) { return Quantity(a.value_ * factor); }
    friend constexpr Quantity operator/(Quantity a, double divisor) { return Quantity(a.value_ / divisor); }
    // Written by hand: a defaulted <=> goes through partial_ordering and makes std::max branch.
    friend constexpr bool operator<(Quantity a, Quantity b) { return a.value_ < b.value_; }
    friend constexpr bool operator>(Quantity a, Quantity b) { return a.value_ > b.value_; }
    friend constexpr bool operator<=(Quantity a, Quantity b) { return a.value_ <= b.value_; }
    friend constexpr bool operator>=(Quantity a, Quantity b) { return a.value_ >= b.value_; }
    friend constexpr bool operator==(Quantity a, Quantity b) { return a.value_ == b.value_; }

  private:
    double value_ = 0.0;
};

/// The ratio of two quantities of one dimension is a plain number; any other quotient has a unit.
template <int T, int D, int F, int E, int M>
constexpr double operator/(Quantity<T, D, F, E, M> a, Quantity<T, D, F, E, M> b) {
    return a.value() / b.value();
}
template <int T, int D, int F, int E, int M, int T2, int D2, int F2, int E2, int M2>
constexpr auto operator/(Quantity<T, D, F, E, M> a, Quantity<T2, D2, F2, E2, M2> b) {
    return Quantity<T - T2, D - D2, F - F2, E - E2, M - M2>(a.value() / b.value());
}
template <int T, int D, int F, int E, int M>
constexpr auto operator/(double a, Quantity<T, D, F, E, M> b) {
    return Quantity<-T, -D, -F, -E, -M>(a / b.value());
}
/// The product of two quantities; opposite dimensions (a rate times a time) cancel to a plain number.
template <int T, int D, int F, int E, int M, int T2, int D2, int F2, int E2, int M2>
constexpr auto operator*(Quantity<T, D, F, E, M> a, Quantity<T2, D2, F2, E2, M2> b) {
    if constexpr (T + T2 == 0 && D + D2 == 0 && F + F2 == 0 && E + E2 == 0 && M + M2 == 0)
        return a.value() * b.value();
    else
        return Quantity<T + T2, D + D2, F + F2, E + E2, M + M2>(a.value() * b.value());
}

using Seconds = Quantity<1, 0, 0, 0, 0>;
using PerSecond = Quantity<-1, 0, 0, 0, 0>;
using Bytes = Quantity<0, 1, 0, 0, 0>;
using BytesPerSecond = Quantity<-1, 1, 0, 0, 0>;
using Flop = Quantity<0, 0, 1, 0, 0>;
using FlopPerSecond = Quantity<-1, 0, 1, 0, 0>;
using Joules = Quantity<0, 0, 0, 1, 0>;
using Watts = Quantity<-1, 0, 0, 1, 0>;
using Dollars = Quantity<0, 0, 0, 0, 1>;
using DollarsPerSecond = Quantity<-1, 0, 0, 0, 1>;
using DollarsPerJoule = Quantity<0, 0, 0, -1, 1>;

namespace literals {
constexpr Seconds operator""_s(long double v) {
    return Seconds(static_cast<double>(v));
}
constexpr Seconds operator""_ms(long double v) {
    return Seconds(static_cast<double>(v) * 1e-3);
}
constexpr Seconds operator""_us(long double v) {
    return Seconds(static_cast<double>(v) * 1e-6);
}
constexpr Bytes operator""_GB(long double v) {
    return Bytes(static_cast<double>(v) * 1e9);
}
constexpr Bytes operator""_GiB(long double v) {
    return Bytes(static_cast<double>(v) * 1073741824.0);
}
}  // namespace literals

}  // namespace plimsoll
