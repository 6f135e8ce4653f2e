#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "model/base/interval.hpp"

namespace plimsoll {

/// An estimate with the half width of its 95 % confidence interval; infinite when nothing can be said.
struct Estimate {
    double value = 0;
    double half_width = 0;

    [[nodiscard]] double low() const { return value - half_width; }
    [[nodiscard]] double high() const { return value + half_width; }
};

/// The 97.5 % point of Student's law with that many degrees of freedom (at least 1), from the finite sums of its
/// distribution function (Abramowitz, Stegun 26.7.3 and 26.7.4).
[[nodiscard]] double student_t_975(std::uint64_t degrees);

/// Mean of independent samples, such as one result of each replication, with its interval by Student's law.
[[nodiscard]] Estimate mean_of(std::span<const double> samples);
/// Mean of a[i] - b[i]: runs with common random numbers, compared seed by seed. Equal sizes.
[[nodiscard]] Estimate paired_difference(std::span<const double> a, std::span<const double> b);

/// Sum of a over sum of b, where each pair is one batch (the classical ratio estimator and its variance; Cochran,
/// Sampling Techniques, section 6.3). Batches must be long against the memory of the process.
[[nodiscard]] Estimate ratio_of(std::span<const double> numerators, std::span<const double> denominators);

/// Correlation between neighbours of a series; 0 for a constant one.
[[nodiscard]] double lag_one_correlation(std::span<const double> series);

/// How many of the first values belong to the warm-up: the cut d, at most half of the series, that makes the
/// marginal standard error of the rest, sum (x - mean)^2 / (n - d)^2, least (MSER; White 1997, on batch means: White,
/// Cobb, Spratt 2000).
[[nodiscard]] std::size_t mser_cut(std::span<const double> series);

}  // namespace plimsoll
