// A profile is written and read again without loss, and what is no profile of this version is refused.
#include "model/spec/profile.hpp"

#include <cmath>
#include <limits>

#include "calibrate/profile_writer.hpp"
#include "model/base/error.hpp"
#include "model/base/fields.hpp"
#include "tests/catch.hpp"
#include "tests/profiles.hpp"

using namespace plimsoll;

namespace {

Profile read_back(const std::string& text) {
    return read_profile(Fields::from_text(text, "profile.json"));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a profile is read as it was written, to the last bit") {
    Profile profile = testing::sample_profile();
    KernelModel& gemm = profile.kernels.front();
    // Numbers whose shortest decimal text is long, tiny, huge and negative zero.
    gemm.constants.front().value = 0.1 + 0.2;
    gemm.constants.front().standard_error = 4.9406564584124654e-324;
    gemm.residuals.quantiles = {-1.0 / 3.0, -0.0, std::nextafter(1.0, 2.0)};
    gemm.covariance.assign(gemm.constants.size() * gemm.constants.size(), 1.7976931348623157e308 / 1e9);
    profile.source = "quotes \" and back\\slashes, \t tabs and \xc3\xa9";
    const std::string text = profile_json(profile, "profile.json");
    const Profile again = read_back(text);
    CHECK(profile_json(again, "profile.json") == text);

    CHECK(again.name == profile.name);
    CHECK(again.aliases == profile.aliases);
    CHECK(again.gpu == profile.gpu);
    CHECK(again.source == profile.source);
    CHECK(again.environment == profile.environment);
    REQUIRE(again.kernels.size() == profile.kernels.size());
    const KernelModel& read = again.kernels.front();
    CHECK(read.library == gemm.library);
    CHECK(read.origin == gemm.origin);
    CHECK(read.points == gemm.points);
    CHECK(read.covariance == gemm.covariance);
    CHECK(read.constants.front().value == gemm.constants.front().value);
    CHECK(read.constants.front().standard_error == gemm.constants.front().standard_error);
    CHECK(read.residuals.quantiles == gemm.residuals.quantiles);
    CHECK(std::signbit(read.residuals.quantiles[1]));
    CHECK(read.learner.centers == gemm.learner.centers);
    CHECK(read.learner.weights == gemm.learner.weights);
    CHECK(read.ranges.size() == gemm.ranges.size());
}

TEST_CASE("a profile of another version, or that nobody generated, is refused") {
    const std::string text = profile_json(testing::sample_profile(), "profile.json");
    REQUIRE_NOTHROW(read_back(text));
    CHECK_THROWS_WITH(read_back(replaced(text, "plimsoll/profile/1", "plimsoll/profile/2")),
                      "profile.json: /schema: this profile has version '2' of the format, and version '1' is read "
                      "here; generate it again with 'plimsoll calibrate'");
    CHECK_THROWS_WITH(read_back(replaced(text, "plimsoll/profile/1", "plimsoll/gpu/1")),
                      "profile.json: /schema: expected 'plimsoll/profile/1', got 'plimsoll/gpu/1'");
    CHECK_THROWS_WITH(read_back(replaced(text, "\"generated\": true", "\"generated\": false")),
                      ContainsSubstring("/generated: a profile is what 'plimsoll calibrate' wrote"));
}

TEST_CASE("lists of a profile that do not fit each other are refused") {
    Profile profile = testing::sample_profile();
    const auto written = [&] { return profile_json(profile, "profile.json"); };
    KernelModel& gemm = profile.kernels.front();
    const KernelModel good = gemm;
    gemm.covariance = {1.0, 2.0};
    CHECK_THROWS_WITH(read_back(written()), ContainsSubstring("/kernels/0/covariance: expected the square"));
    gemm = good;
    gemm.learner.centers.pop_back();
    CHECK_THROWS_WITH(read_back(written()), ContainsSubstring("/kernels/0/learner/centers: expected 2 points of 2"));
    gemm = good;
    gemm.residuals.quantiles = {0.1, -0.1};
    CHECK_THROWS_WITH(read_back(written()), ContainsSubstring("/kernels/0/residuals/quantiles: they must rise"));
    gemm = good;
    gemm.ranges.front().high = gemm.ranges.front().low - 1;
    CHECK_THROWS_WITH(read_back(written()), ContainsSubstring("the range ends before it begins"));
    gemm = good;
    gemm.kernel = "gem";
    CHECK_THROWS_WITH(read_back(written()), ContainsSubstring("unknown kernel 'gem'; did you mean 'gemm'?"));
}

TEST_CASE("a number that is not finite is not written") {
    Profile profile = testing::sample_profile();
    profile.kernels.front().constants[1].standard_error = std::numeric_limits<double>::infinity();
    CHECK_THROWS_WITH(profile_json(profile, "out.json"),
                      "out.json: the fit gave no finite number for /kernels/0/constants/1/standard_error");
}
