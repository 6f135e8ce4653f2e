#include "model/capacity/mixture.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "model/capacity/percentiles.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

const double levels[] = {0.5, 0.9, 0.95, 0.99};

double uniform(std::mt19937_64& random) {
    return static_cast<double>(random() >> 11) * 0x1p-53;
}

/// The quantile of a distribution function by bisection over [0, most].
template <class Cdf>
double invert(Cdf cdf, double q, double most) {
    double low = 0.0;
    for (int i = 0; i < 100; ++i) {
        const double middle = 0.5 * (low + most);
        (cdf(middle) < q ? low : most) = middle;
    }
    return low;
}

/// Erlang(k, 1): 1 - exp(-x) sum over j < k of x^j / j!.
double erlang_cdf(int k, double x) {
    double term = 1.0;
    double sum = 0.0;
    for (int j = 0; j < k; ++j) {
        sum += term;
        term *= x / (j + 1);
    }
    return 1.0 - std::exp(-x) * sum;
}

PercentileTable percentiles_of(const Mixture& mixture) {
    PercentileTable percentiles;
    percentiles.build(mixture);
    return percentiles;
}

}  // namespace

TEST_CASE("Moments of a mixture by hand") {
    // 1/4 at 2 s, 3/4 at 6 s with variance 1: mean 5; variance 3/4 + 1/4 x 9 + 3/4 x 1 = 3.75.
    Mixture mixture;
    mixture.add(1.0, Seconds(2.0));
    mixture.add(3.0, Seconds(6.0), SecondsSquared(1.0));
    mixture.add(0.0, Seconds(9.0));
    CHECK(mixture.components().size() == 2);
    CHECK(mixture.weight() == 4.0);
    CHECK(mixture.mean().value() == Approx(5.0));
    CHECK(mixture.variance().value() == Approx(3.75));
}

TEST_CASE("The exponential law: quantiles -ln(1 - q)") {
    Mixture mixture;
    mixture.add(0.3, Seconds(2.0), SecondsSquared(4.0));
    const PercentileTable percentiles = percentiles_of(mixture);
    for (const double q : levels) CHECK(percentiles.at(q).value() == Approx(-2.0 * std::log(1.0 - q)).epsilon(0.015));
    CHECK(percentiles.mean().value() == Approx(2.0).epsilon(1e-12));
    CHECK(percentiles.variance().value() == Approx(4.0).epsilon(1e-12));
    CHECK(percentiles.share_within(Seconds(2.0)) == Approx(1.0 - std::exp(-1.0)).epsilon(0.01));
}

TEST_CASE("Erlang laws") {
    for (const int k : {2, 3, 10, 50}) {
        Mixture mixture;
        mixture.add(1.0, Seconds(k), SecondsSquared(k));
        const PercentileTable percentiles = percentiles_of(mixture);
        for (const double q : levels) {
            const double exact = invert([&](double x) { return erlang_cdf(k, x); }, q, 200.0);
            CHECK(percentiles.at(q).value() == Approx(exact).epsilon(0.006));
        }
        CHECK(percentiles.variance().value() == Approx(k).epsilon(1e-12));
    }
}

TEST_CASE("A geometric number of exponentials is exponential") {
    for (const double rho : {0.5, 0.8, 0.9, 0.98, 0.995}) {
        Mixture mixture;
        double weight = 1.0 - rho;
        for (int n = 1; n <= 6000; ++n) {
            const double each = 1.0 - rho;
            mixture.add(weight, Seconds(n * each), SecondsSquared(n * each * each));
            weight *= rho;
        }
        const PercentileTable percentiles = percentiles_of(mixture);
        CAPTURE(rho);
        for (const double q : levels) CHECK(percentiles.at(q).value() == Approx(-std::log(1.0 - q)).epsilon(0.025));
        CHECK(percentiles.mean().value() == Approx(1.0).epsilon(1e-9));
        CHECK(percentiles.variance().value() == Approx(1.0).epsilon(1e-9));
    }
}

TEST_CASE("Two exponentials far apart: the hyperexponential quantile") {
    // Nine tenths of mean 1, one tenth of mean 20.
    Mixture mixture;
    mixture.add(0.9, Seconds(1.0), SecondsSquared(1.0));
    mixture.add(0.1, Seconds(20.0), SecondsSquared(400.0));
    const PercentileTable percentiles = percentiles_of(mixture);
    for (const double q : levels) {
        const double exact =
            invert([](double x) { return 1.0 - 0.9 * std::exp(-x) - 0.1 * std::exp(-x / 20.0); }, q, 1000.0);
        CHECK(percentiles.at(q).value() == Approx(exact).epsilon(0.025));
    }
}

TEST_CASE("Atoms stand where they are, and the few who wait do not move the rest") {
    Mixture mixture;
    mixture.add(0.92, Seconds(0.0));
    mixture.add(0.08, Seconds(1.0), SecondsSquared(1.0));
    const PercentileTable percentiles = percentiles_of(mixture);
    CHECK(percentiles.at(0.5).value() == 0.0);
    CHECK(percentiles.at(0.9).value() == 0.0);
    // Of those who wait 3/8 and 7/8 are below p95 and p99.
    CHECK(percentiles.at(0.95).value() == Approx(std::log(8.0 / 5.0)).epsilon(0.025));
    CHECK(percentiles.at(0.99).value() == Approx(std::log(8.0)).epsilon(0.025));
    CHECK(percentiles.share_within(Seconds(1.0)) == Approx(1.0 - 0.08 * std::exp(-1.0)).epsilon(0.002));
    Mixture two;
    two.add(0.5, Seconds(1.0));
    two.add(0.5, Seconds(3.0));
    CHECK(percentiles_of(two).at(0.25).value() == 1.0);
    CHECK(percentiles_of(two).at(0.75).value() == 3.0);
}

TEST_CASE("An empty mixture and a single atom") {
    CHECK(percentiles_of(Mixture()).at(0.99).value() == 0.0);
    Mixture atom;
    atom.add(5.0, Seconds(0.25));
    for (const double q : {0.0, 0.3, 0.99, 1.0}) CHECK(percentiles_of(atom).at(q).value() == 0.25);
    CHECK(percentiles_of(atom).share_within(Seconds(0.2)) == 0.0);
    CHECK(percentiles_of(atom).share_within(Seconds(0.3)) == 1.0);
}

TEST_CASE("A law narrower than rounding is an atom") {
    Mixture mixture;
    mixture.add(1.0, Seconds(1.0), SecondsSquared(1e-34));
    PercentileTable table;
    table.build(mixture);
    CHECK(table.at(0.5) == Seconds(1.0));
    CHECK(table.at(0.99) == Seconds(1.0));
}

TEST_CASE("Laws wider than a cube can draw keep mean and variance, heavy or light") {
    for (const double share : {1.0, 0.2, 0.05, 0.01})
        for (const double cv2 : {1.2, 2.0, 4.0, 5.0, 40.0, 1000.0}) {
            Mixture mixture;
            mixture.add(share, Seconds(2.0), SecondsSquared(4.0 * cv2));
            if (share < 1.0) mixture.add(1.0 - share, Seconds(2.0));
            const PercentileTable percentiles = percentiles_of(mixture);
            CHECK(percentiles.mean().value() == Approx(2.0).epsilon(1e-9));
            CHECK(percentiles.variance().value() == Approx(4.0 * cv2 * share).epsilon(1e-9));
            CHECK(percentiles.at(0.0).value() >= 0.0);
        }
}

TEST_CASE("A chi-square law with one degree of freedom: squares of normal quantiles") {
    // Mean 1, variance 2; its q-quantile is the square of the normal (1 +
    // q)/2-quantile: 1.644854^2, 1.959964^2, 2.575829^2.
    Mixture mixture;
    mixture.add(1.0, Seconds(1.0), SecondsSquared(2.0));
    const PercentileTable percentiles = percentiles_of(mixture);
    CHECK(percentiles.at(0.90).value() == Approx(2.705543).epsilon(0.03));
    CHECK(percentiles.at(0.95).value() == Approx(3.841459).epsilon(0.03));
    CHECK(percentiles.at(0.99).value() == Approx(6.634897).epsilon(0.03));
}

TEST_CASE("Merging and quantiles on generated mixtures") {
    std::mt19937_64 random(21);
    for (int trial = 0; trial < 40; ++trial) {
        Mixture mixture;
        const int count = 1 + static_cast<int>(800.0 * uniform(random));
        for (int i = 0; i < count; ++i) {
            const double mean = std::exp(4.0 * uniform(random));
            const double cv2 = trial % 3 == 0 ? 0.0 : 1.2 * uniform(random);
            mixture.add(std::pow(uniform(random), 6.0), Seconds(mean), SecondsSquared(cv2 * mean * mean));
        }
        Mixture merged = mixture;
        merged.merge(24);
        CHECK(merged.components().size() <= 24);
        CHECK(merged.weight() == Approx(mixture.weight()).epsilon(1e-12));
        CHECK(merged.mean().value() == Approx(mixture.mean().value()).epsilon(1e-12));
        CHECK(merged.variance().value() == Approx(mixture.variance().value()).epsilon(1e-10));
        const PercentileTable percentiles = percentiles_of(mixture);
        CHECK(percentiles.mean().value() == Approx(mixture.mean().value()).epsilon(1e-9));
        CHECK(percentiles.variance().value() == Approx(mixture.variance().value()).epsilon(1e-9));
        double before = 0.0;
        for (int i = 0; i <= 400; ++i) {
            const double q = i / 400.0;
            const double value = percentiles.at(q).value();
            CHECK(value >= before);
            // The share within is the inverse; at an atom it takes all of it, and just below none.
            CHECK(percentiles.share_within(Seconds(value * (1.0 + 1e-12))) >= q - 1e-9);
            CHECK(percentiles.share_within(Seconds(value * (1.0 - 1e-12))) <= q + 1e-9);
            before = value;
        }
    }
}

TEST_CASE("A small change of weights moves a quantile little") {
    // Across the level at which a heavy component gets other slices, and across an atom's edge.
    double before = -1.0;
    for (double share = 0.25; share < 0.35; share += 0.001) {
        Mixture mixture;
        mixture.add(share, Seconds(1.0), SecondsSquared(0.5));
        mixture.add(1.0 - share, Seconds(2.0), SecondsSquared(2.0));
        const double p90 = percentiles_of(mixture).at(0.9).value();
        if (before > 0.0) CHECK(p90 == Approx(before).epsilon(0.01));
        before = p90;
    }
}

TEST_CASE("Sums of independent times") {
    SECTION("two exponentials make Erlang(2)") {
        Mixture one;
        one.add(1.0, Seconds(1.0), SecondsSquared(1.0));
        Mixture sum;
        sum.assign_sum(one, one);
        const PercentileTable percentiles = percentiles_of(sum);
        for (const double q : levels)
            CHECK(percentiles.at(q).value() ==
                  Approx(invert([](double x) { return erlang_cdf(2, x); }, q, 100.0)).epsilon(0.006));
    }
    SECTION("atoms add") {
        Mixture coin;
        coin.add(0.5, Seconds(0.0));
        coin.add(0.5, Seconds(1.0));
        Mixture sum;
        sum.assign_sum(coin, coin);
        const PercentileTable percentiles = percentiles_of(sum);
        CHECK(percentiles.at(0.2).value() == 0.0);
        CHECK(percentiles.at(0.5).value() == 1.0);
        CHECK(percentiles.at(0.8).value() == 2.0);
    }
    SECTION("means and variances add, also after merging") {
        Mixture a;
        Mixture b;
        for (int i = 1; i <= 300; ++i) {
            a.add(1.0 / i, Seconds(0.1 * i), SecondsSquared(0.02 * i));
            b.add(std::exp(-0.02 * i), Seconds(0.5 * i));
        }
        Mixture sum;
        sum.assign_sum(a, b, 12);
        CHECK(sum.components().size() <= 144);
        CHECK(sum.weight() == Approx(a.weight() * b.weight()));
        CHECK(sum.mean().value() == Approx((a.mean() + b.mean()).value()));
        CHECK(sum.variance().value() == Approx((a.variance() + b.variance()).value()));
    }
}
