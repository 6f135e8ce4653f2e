#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace plimsoll {

/// A function of a positive number, exact at four points an octave (1, 1 1/4, 1 1/2, 1 3/4, 2, 2 1/2, ...), linear
/// between, linear on beyond the first and the last; 0 for what is not positive.
class OctaveTable {
  public:
    /// From 2^`first` to 2^(`first` + `octaves`), all values 0. Octaves: at least one.
    OctaveTable(int first, int octaves)
        : offset_(4 * (1023 + first)), values_(static_cast<std::size_t>(4 * octaves) + 1) {}

    [[nodiscard]] std::size_t points() const { return values_.size(); }
    /// The argument of a point.
    [[nodiscard]] double at(std::size_t point) const {
        const int index = static_cast<int>(point) + offset_;
        return std::ldexp(1.0 + (index % 4) / 4.0, index / 4 - 1023);
    }
    [[nodiscard]] double& operator[](std::size_t point) { return values_[point]; }

    /// Where a positive number lies: `share` of the way from one point to the next. Tables alike have the same places.
    struct Place {
        std::size_t below;
        double share;
    };
    [[nodiscard]] Place place(double x) const {
        // The exponent and the two highest bits of the mantissa of an IEEE 754 double count the points.
        const auto bits = std::bit_cast<std::uint64_t>(x);
        int index = static_cast<int>(bits >> 50) - offset_;
        double share = static_cast<double>(bits & ((std::uint64_t{1} << 50) - 1)) * 0x1p-50;
        if (const int last = static_cast<int>(values_.size()) - 2; index < 0 || index > last) {
            index = std::clamp(index, 0, last);
            const double from = at(static_cast<std::size_t>(index));
            share = (x - from) / (at(static_cast<std::size_t>(index) + 1) - from);
        }
        return {static_cast<std::size_t>(index), share};
    }
    [[nodiscard]] double operator()(Place place) const {
        const double* value = values_.data() + place.below;
        return value[0] + place.share * (value[1] - value[0]);
    }
    [[nodiscard]] double operator()(double x) const { return x > 0.0 ? (*this)(place(x)) : 0.0; }

  private:
    int offset_;  ///< of the first point, in points from the smallest normal number
    std::vector<double> values_;
};

}  // namespace plimsoll
