// Moments of the laws against their closed forms, and what is refused.
#include "model/spec/distribution.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

Distribution tokens(const char* text) {
    return Distribution::parse_tokens(text, "--prompt-tokens");
}
Distribution seconds(const char* text) {
    return Distribution::parse_seconds(text, "--think-time");
}

}  // namespace

TEST_CASE("a fixed length") {
    for (const char* text : {"900", "fixed:900"}) {
        CHECK(tokens(text).mean() == 900);
        CHECK(tokens(text).cv2() == 0);
        CHECK(tokens(text).quantile(0) == 900);
        CHECK(tokens(text).quantile(1) == 900);
        CHECK(tokens(text).text() == text);
    }
}

TEST_CASE("a uniform law") {
    // Mean (1 + 3) / 2, variance (3 - 1)^2 / 12.
    const Distribution law = seconds("uniform:min=1s,max=3 s");
    CHECK(law.mean() == Approx(2));
    CHECK(law.second_moment() == Approx(4 + 4.0 / 12).epsilon(1e-5));
    CHECK(law.quantile(0.25) == Approx(1.5).epsilon(1e-3));
    CHECK(Distribution::uniform(1, 3).mean() == Approx(2));
}

TEST_CASE("laws have the mean and the spread that they state") {
    // 512 equally likely points miss a little of the far tail, never of the mean.
    struct Expected {
        const char* text;
        double mean, cv2, error;
    };
    const Expected table[] = {
        {"lognormal:mean=900,cv=0.5", 900, 0.25, 0.02}, {"lognormal:mean=900,cv=1", 900, 1, 0.08},
        {"gamma:mean=900,cv=0.5", 900, 0.25, 0.02},     {"gamma:mean=900,cv=0.1", 900, 0.01, 0.02},
        {"gamma:mean=900,cv=0.01", 900, 1e-4, 0.02},    {"gamma:mean=900,cv=1.5", 900, 2.25, 0.03},
        {"exponential:mean=900", 900, 1, 0.02},         {"geometric:mean=900", 900, 1, 0.02}};
    for (const Expected& row : table) {
        INFO(row.text);
        CHECK(tokens(row.text).mean() == Approx(row.mean).epsilon(1e-9));
        CHECK(tokens(row.text).cv2() == Approx(row.cv2).epsilon(row.error));
    }
}

TEST_CASE("quantiles of known laws") {
    // Lognormal of mean 100 and cv 1: sigma^2 = ln 2, median 100 / sqrt 2, 97.5 % at exp(1.959964 sigma) medians.
    const Distribution law = tokens("lognormal:mean=100,cv=1");
    CHECK(law.quantile(0.5) == Approx(100 / std::sqrt(2.0)).epsilon(2e-3));
    CHECK(law.quantile(0.975) ==
          Approx(100 / std::sqrt(2.0) * std::exp(1.959964 * std::sqrt(std::log(2.0)))).epsilon(0.01));
    // Exponential of mean 100 s: the median is 100 ln 2.
    CHECK(seconds("exponential:mean=100s").quantile(0.5) == Approx(100 * std::log(2.0)).epsilon(2e-3));
    // A gamma law of cv 1 is the exponential one.
    for (const double u : {0.1, 0.5, 0.9})
        CHECK(seconds("gamma:mean=100s,cv=1").quantile(u) ==
              Approx(seconds("exponential:mean=100s").quantile(u)).epsilon(1e-6));
}

TEST_CASE("clamped laws keep the stated mean and stay inside") {
    for (const char* text :
         {"lognormal:mean=200,cv=1.2,max=512", "lognormal:mean=200,cv=3,min=100,max=512", "gamma:mean=200,cv=2,max=512",
          "exponential:mean=200,min=150", "geometric:mean=200,max=201", "lognormal:mean=200,cv=1,min=200"}) {
        const Distribution law = tokens(text);
        INFO(text);
        CHECK(law.mean() == Approx(200).epsilon(1e-6));
        CHECK(law.quantile(0) >= 1);
        CHECK(std::is_sorted(law.points().begin(), law.points().end()));
    }
    CHECK(tokens("lognormal:mean=200,cv=3,max=512").quantile(1) == 512);
    CHECK(tokens("lognormal:mean=200,cv=3,min=100").quantile(0) == 100);
    // A tight clamp leaves less spread than the law has.
    CHECK(tokens("lognormal:mean=200,cv=1.2,max=512").cv2() < 1.44);
}

TEST_CASE("nothing shorter than a token") {
    CHECK(tokens("exponential:mean=3").quantile(0) == 1);
    CHECK(tokens("exponential:mean=3").mean() == Approx(3).epsilon(1e-9));
}

TEST_CASE("what is no law is refused in words") {
    struct Bad {
        const char* text;
        const char* message;
    };
    const Bad table[] = {
        {"0", "'0' is too small"},
        {"-5", "'-5' is too small"},
        {"900 tokens", "--prompt-tokens: "},
        {"nan", "--prompt-tokens: "},
        {"lognormol:mean=900,cv=1", "unknown law 'lognormol'; did you mean 'lognormal'?"},
        {"banana:5", "unknown law 'banana'"},
        {"lognormal:mean=900", "'cv=' is missing"},
        {"lognormal:cv=1", "'mean=' is missing"},
        {"lognormal:mean=900,cv=0", "cv must be between"},
        {"lognormal:mean=900,cv=1,", "after the last comma"},
        {"lognormal:mean=900,cv=1,mean=9", "'mean=' stands twice"},
        {"lognormal:mean=900,cv=1,maks=9", "unknown 'maks='"},
        {"lognormal:mean=900,cv", "expected key=value, got 'cv'"},
        {"lognormal:mean=900,cv=1,max=800", "the mean must be positive and lie between min and max"},
        {"lognormal:mean=900,cv=1,min=0", "'min=' is too small"},
        {"uniform:min=9,max=8", "a uniform law needs min <= max"},
        {"uniform:min=0,max=8", "a uniform law needs min <= max"},
        {"fixed:2e9", "lengths above 1e9 tokens make no sense"},
    };
    for (const Bad& row : table) {
        INFO(row.text);
        CHECK_THROWS_WITH(tokens(row.text), ContainsSubstring(row.message) && ContainsSubstring("--prompt-tokens: "));
    }
    CHECK_THROWS_WITH(seconds("2"), ContainsSubstring("--think-time: "));
    CHECK_THROWS_WITH(seconds("2 GB"), ContainsSubstring("--think-time: "));
    CHECK_THROWS_WITH(seconds("1e300s"), ContainsSubstring("make no sense"));
    CHECK(seconds("0s").mean() == 0);
}
