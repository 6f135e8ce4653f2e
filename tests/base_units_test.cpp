#include <limits>
#include <type_traits>

#include "model/base/sourced.hpp"
#include "model/base/units.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;
using namespace plimsoll::literals;

TEST_CASE("products and quotients have the derived dimension", "[units]") {
    STATIC_REQUIRE(std::is_same_v<decltype(Bytes(1) / BytesPerSecond(1)), Seconds>);
    STATIC_REQUIRE(std::is_same_v<decltype(Bytes(1) / Seconds(1)), BytesPerSecond>);
    STATIC_REQUIRE(std::is_same_v<decltype(Flop(1) / FlopPerSecond(1)), Seconds>);
    STATIC_REQUIRE(std::is_same_v<decltype(Watts(1) * Seconds(1)), Joules>);
    STATIC_REQUIRE(std::is_same_v<decltype(Joules(1) * DollarsPerJoule(1)), Dollars>);
    STATIC_REQUIRE(std::is_same_v<decltype(Watts(1) * DollarsPerJoule(1)), DollarsPerSecond>);
    STATIC_REQUIRE(std::is_same_v<decltype(1.0 / Seconds(1)), PerSecond>);
    STATIC_REQUIRE(std::is_same_v<decltype(PerSecond(1) * Seconds(1)), double>);
    STATIC_REQUIRE(std::is_same_v<decltype(Seconds(1) / Seconds(1)), double>);
}

TEST_CASE("a unit is never made from or turned into a bare number by accident", "[units]") {
    STATIC_REQUIRE_FALSE(std::is_convertible_v<double, Seconds>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<Seconds, double>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<Seconds, Bytes>);
    STATIC_REQUIRE(sizeof(Seconds) == sizeof(double));
    STATIC_REQUIRE(std::is_trivially_copyable_v<Seconds>);
}

TEST_CASE("worked values with units", "[units]") {
    // 26 GB of weights read at 933 GB/s: 26 / 933 = 0.0278671 s.
    CHECK((26.0_GB / BytesPerSecond(933e9)).value() == Approx(0.0278671).epsilon(1e-5));
    // 300 W for an hour is 0.3 kWh; at 0.12 USD/kWh = 0.12 / 3.6e6 USD/J that is 0.036 USD.
    CHECK((Watts(300) * Seconds(3600) * DollarsPerJoule(0.12 / 3.6e6)).value() == Approx(0.036).epsilon(1e-12));
    CHECK((1.0_GiB).value() == 1073741824.0);
    CHECK((250.0_ms).value() == 0.25);
    CHECK((4.0_s / 500.0_ms) == 8.0);
}

TEST_CASE("quantities add, scale and compare within their dimension", "[units]") {
    Seconds total = 1.0_s;
    total += 500.0_ms;
    CHECK(total == Seconds(1.5));
    total -= 1.0_s;
    CHECK(total == Seconds(0.5));
    total *= 6.0;
    CHECK(total == Seconds(3.0));
    total /= 2.0;
    CHECK(total == Seconds(1.5));
    CHECK(-total + 2.0 * total == total);
    CHECK(1.0_s < 1500.0_ms);
    CHECK(1.0_s <= 1000.0_ms);
    CHECK(1.0_s > 999.0_ms);
    CHECK_FALSE(1.0_s >= 1001.0_ms);
}

TEST_CASE("an infinite or undefined quantity is known as such", "[units]") {
    CHECK(Seconds(1e300).finite());
    CHECK_FALSE((1.0_s / 0.0).finite());
    CHECK_FALSE(Seconds(std::numeric_limits<double>::quiet_NaN()).finite());
}

TEST_CASE("a source states its origin by its first words", "[sourced]") {
    CHECK(origin_of("measured here: 2024-05-01", "a.json") == Origin::measured_here);
    CHECK(origin_of("measured: NCCL tests, https://example.org", "a.json") == Origin::measured_elsewhere);
    CHECK(origin_of("fitted: to 40 samples", "a.json") == Origin::fitted);
    CHECK(origin_of("datasheet: NVIDIA A30, 2022", "a.json") == Origin::datasheet);
    CHECK(origin_of("estimated: half of the A100", "a.json") == Origin::estimated);
    CHECK_THROWS_WITH(origin_of("the internet", "a.json: /source"),
                      "a.json: /source: the source 'the internet' does not say its origin; it begins with one of "
                      "'measured here:', 'measured:', 'fitted:', 'datasheet:', 'estimated:'");
    CHECK_THROWS_WITH(origin_of("datasheet: ", "a.json"), "a.json: the source says nothing after 'datasheet:'");
    CHECK_THROWS(origin_of("", "a.json"));
    CHECK_THROWS(origin_of("Datasheet: NVIDIA", "a.json"));
}

TEST_CASE("the weakest origin wins, whatever the order", "[sourced]") {
    const Origin order[] = {Origin::measured_here, Origin::measured_elsewhere, Origin::fitted,
                            Origin::datasheet,     Origin::estimated,          Origin::extrapolated};
    for (std::size_t strong = 0; strong < 6; ++strong)
        for (std::size_t weak = strong; weak < 6; ++weak) {
            CHECK(weakest(order[strong], order[weak]) == order[weak]);
            CHECK(weakest(order[weak], order[strong]) == order[weak]);
        }
    CHECK(to_string(Origin::measured_elsewhere) == "measured elsewhere");
    CHECK(to_string(Origin::extrapolated) == "extrapolated");
}
