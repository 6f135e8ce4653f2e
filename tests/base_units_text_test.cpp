#include <limits>
#include <string>

#include "model/base/error.hpp"
#include "model/base/units_text.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

template <class Q>
double read(const char* text) {
    return parse_quantity<Q>(text, "a.json: /x").value();
}

}  // namespace

TEST_CASE("a quantity is a number and a unit, with or without a blank", "[units_text]") {
    CHECK(read<Seconds>("3.15 s") == 3.15);
    CHECK(read<Seconds>("3.15s") == 3.15);
    CHECK(read<Seconds>("-2 s") == -2.0);
    CHECK(read<Seconds>("1e3 s") == 1000.0);
    CHECK(read<Seconds>("0 ns") == 0.0);
}

TEST_CASE("decimal parts of a unit give the nearest double", "[units_text]") {
    // A product would not do: 9 * 1e-3, 5 * 1e-6 and 350 * 1e-9 are off by one unit in the last place.
    CHECK(read<Seconds>("100 ms") == 0.1);
    CHECK(read<Seconds>("3.15 ms") == 0.00315);
    CHECK(read<Seconds>("9 ms") == 0.009);
    CHECK(read<Seconds>("5 us") == 0.000005);
    CHECK(read<Seconds>("350 ns") == 3.5e-7);
}

TEST_CASE("units of time", "[units_text]") {
    CHECK(read<Seconds>("2 min") == 120.0);
    CHECK(read<Seconds>("1.5 h") == 5400.0);
    CHECK(read<Seconds>("1 d") == 86400.0);
    CHECK(read<Seconds>("1 year") == 8760.0 * 3600.0);  // 365 days
}

TEST_CASE("sizes have decimal and binary prefixes", "[units_text]") {
    CHECK(read<Bytes>("24 GB") == 24e9);
    CHECK(read<Bytes>("24 GiB") == 25769803776.0);  // 24 * 2^30
    CHECK(read<Bytes>("16 KiB") == 16384.0);
    CHECK(read<Bytes>("1 MiB") == 1048576.0);
    CHECK(read<Bytes>("1 TiB") == 1099511627776.0);  // 2^40
    CHECK(read<Bytes>("2 kB") == 2000.0);
    CHECK(read<Bytes>("1 PB") == 1e15);
    CHECK(read<BytesPerSecond>("933 GB/s") == 933e9);
    CHECK(read<BytesPerSecond>("1.5 TB/s") == 1.5e12);
    CHECK(read<BytesPerSecond>("1 GiB/s") == 1073741824.0);
}

TEST_CASE("arithmetic, energy, power, money and rates", "[units_text]") {
    CHECK(read<Flop>("14 GFLOP") == 14e9);
    CHECK(read<FlopPerSecond>("165 TFLOP/s") == 165e12);
    CHECK(read<FlopPerSecond>("330 TOP/s") == 330e12);
    CHECK(read<FlopPerSecond>("1 PFLOP/s") == 1e15);
    CHECK(read<Joules>("1 kWh") == 3.6e6);
    CHECK(read<Joules>("2 Wh") == 7200.0);
    CHECK(read<Joules>("5 kJ") == 5000.0);
    CHECK(read<Watts>("0.7 kW") == 700.0);
    CHECK(read<Watts>("2 MW") == 2e6);
    CHECK(read<Dollars>("9500 USD") == 9500.0);
    CHECK(read<DollarsPerSecond>("3.6 USD/h") == 0.001);
    CHECK(read<DollarsPerSecond>("31536000 USD/year") == 1.0);  // 365 * 86400 s
    CHECK(read<DollarsPerSecond>("2628000 USD/month") == 1.0);  // a twelfth of it
    CHECK(read<DollarsPerJoule>("3.6 USD/kWh") == 1e-6);
    CHECK(read<PerSecond>("5 /s") == 5.0);
    CHECK(read<PerSecond>("5/s") == 5.0);
    CHECK(read<PerSecond>("5 1/s") == 5.0);
    CHECK(read<PerSecond>("5 req/s") == 5.0);
    CHECK(read<PerSecond>("90 /min") == 1.5);
    CHECK(read<PerSecond>("1800 /h") == 0.5);
}

TEST_CASE("what is wrong with a unit is said with the known ones", "[units_text]") {
    CHECK_THROWS_WITH(read<Seconds>("3.15"),
                      "a.json: /x: '3.15' has no unit; known units of time: s, ms, us, ns, min, h, d, year");
    CHECK_THROWS_WITH(read<Seconds>("3.15 "),
                      "a.json: /x: '3.15 ' has no unit; known units of time: s, ms, us, ns, min, h, d, year");
    CHECK_THROWS_WITH(
        read<Bytes>("24 GIB"),
        "a.json: /x: unknown unit of size 'GIB'; did you mean 'GiB'? known: B, GB, GiB, KiB, MB, MiB, PB, "
        "TB, TiB, kB");
    CHECK_THROWS_WITH(read<Watts>("3 furlongs"), "a.json: /x: unknown unit of power 'furlongs'; known: MW, W, kW");
    CHECK_THROWS_WITH(read<BytesPerSecond>("933 GiB"),
                      "a.json: /x: '933 GiB' is a size, expected a bandwidth such as '933 GB/s'; known units of "
                      "bandwidth: B/s, kB/s, MB/s, GB/s, TB/s, PB/s, KiB/s, MiB/s, GiB/s, TiB/s");
    CHECK_THROWS_WITH(read<Flop>("3 J"),
                      "a.json: /x: '3 J' is an energy, expected an amount of arithmetic such as '14 GFLOP'; known "
                      "units of amount of arithmetic: FLOP, kFLOP, MFLOP, GFLOP, TFLOP, PFLOP");
    CHECK_THROWS_WITH(read<Seconds>("3 s s"), ContainsSubstring("unknown unit of time 's s'"));
}

TEST_CASE("what is no finite number is refused", "[units_text]") {
    const char* const bad[] = {"",     " ",    "s",       "inf s", "nan s", "-inf s",
                               "+3 s", " 3 s", "three s", "- s",   "--3 s", ". s"};
    for (const char* text : bad)
        CHECK_THROWS_WITH(read<Seconds>(text), ContainsSubstring("does not begin with a number"));
    CHECK_THROWS_WITH(read<Seconds>("1e999 s"), "a.json: /x: '1e999 s' is too large or too small for a number");
    // 1e308 is a double, 1e308 hours in seconds is none.
    CHECK_THROWS_WITH(read<Seconds>("1e308 h"), "a.json: /x: '1e308 h' is too large or too small for a number");
}

TEST_CASE("a plain number has nothing around it", "[units_text]") {
    CHECK(parse_number("0.25", "--headroom") == 0.25);
    CHECK(parse_number("-1e3", "--headroom") == -1000.0);
    CHECK_THROWS_WITH(parse_number("3 s", "--headroom"), "--headroom: '3 s' is not a plain number; ' s' follows it");
    CHECK_THROWS_AS(parse_number("0x10", "--headroom"), InputError);
    CHECK_THROWS_AS(parse_number("", "--headroom"), InputError);
    CHECK_THROWS_AS(parse_number("nan", "--headroom"), InputError);
}

TEST_CASE("text for people has three significant digits and a fitting prefix", "[units_text]") {
    CHECK(to_text(Seconds(0.0984)) == "98.4 ms");
    CHECK(to_text(Seconds(3.15)) == "3.15 s");
    CHECK(to_text(Seconds(-3.15)) == "-3.15 s");
    CHECK(to_text(Seconds(0.0)) == "0 s");
    CHECK(to_text(Seconds(12e-6)) == "12.0 us");
    CHECK(to_text(Seconds(350e-9)) == "350 ns");
    CHECK(to_text(Seconds(90.0)) == "90.0 s");
    CHECK(to_text(Seconds(600.0)) == "10.0 min");
    CHECK(to_text(Seconds(5.0 * 3600.0)) == "5.00 h");
    CHECK(to_text(Seconds(3.0 * 86400.0)) == "3.00 d");
    CHECK(to_text(Bytes(24.0 * 1073741824.0)) == "24.0 GiB");
    CHECK(to_text(Bytes(819200.0)) == "800 KiB");
    CHECK(to_text(Bytes(0.0)) == "0 B");
    CHECK(to_text(Bytes(7.0)) == "7.00 B");
    CHECK(to_text(BytesPerSecond(933e9)) == "933 GB/s");
    CHECK(to_text(BytesPerSecond(1e12)) == "1.00 TB/s");
    CHECK(to_text(Flop(14e9)) == "14.0 GFLOP");
    CHECK(to_text(FlopPerSecond(165e12)) == "165 TFLOP/s");
    CHECK(to_text(Watts(6500.0)) == "6.50 kW");
    CHECK(to_text(Seconds(std::numeric_limits<double>::infinity())).find("inf") == 0);
}

TEST_CASE("rounding never shows a fourth digit or a number past its prefix", "[units_text]") {
    CHECK(to_text(Seconds(0.9996)) == "1.00 s");
    CHECK(to_text(Seconds(0.9994)) == "999 ms");
    CHECK(to_text(Seconds(9.996)) == "10.0 s");
    CHECK(to_text(Seconds(99.96)) == "100 s");
    CHECK(to_text(BytesPerSecond(999.7e9)) == "1.00 TB/s");
    CHECK(to_text(Bytes(1023.9 * 1048576.0)) == "1.00 GiB");
    CHECK(to_text(Bytes(1023.0 * 1048576.0)) == "1023 MiB");
}
