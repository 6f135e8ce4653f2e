#include "model/spec/profile.hpp"

#include <algorithm>

#include "model/base/error.hpp"
#include "model/base/fields.hpp"
#include "model/spec/dtype.hpp"
#include "model/spec/sources.hpp"

namespace plimsoll {
namespace {

constexpr Range any_number{-1e300, 1e300};
constexpr Range not_negative{0, 1e300};

/// What another version of the format would need is unknown, so the file says to make it again.
void check_version(const Fields& fields) {
    const std::string found = fields.string("schema"), stem = "plimsoll/profile/";
    if (found.starts_with(stem) && found != profile_schema)
        fields.fail("schema", "this profile has version " + in_quotes(found.substr(stem.size())) +
                                  " of the format, and version '1' is read here; generate it again with "
                                  "'plimsoll calibrate'");
}

Origin read_origin(const Fields& fields) {
    std::vector<std::string> known;
    for (int i = 0; i <= static_cast<int>(Origin::extrapolated); ++i)
        known.emplace_back(to_string(static_cast<Origin>(i)));
    return static_cast<Origin>(fields.choice("origin", known));
}

FittedConstant read_constant(const Fields& fields) {
    FittedConstant constant{fields.string("name"), fields.number("value", any_number),
                            fields.number("standard_error", not_negative)};
    fields.finish();
    return constant;
}

ValidRange read_range(const Fields& fields) {
    ValidRange range{fields.string("name"), fields.number("low", any_number), fields.number("high", any_number)};
    if (range.high < range.low) fields.fail("high", "the range ends before it begins");
    fields.finish();
    return range;
}

Residuals read_residuals(const Fields& fields) {
    Residuals residuals;
    residuals.count = static_cast<std::size_t>(fields.integer("count", {0, 1e9}));
    residuals.bias = fields.number("bias", any_number);
    residuals.mean_ape = fields.number("mean_ape", not_negative);
    residuals.median_ape = fields.number("median_ape", not_negative);
    residuals.p90_ape = fields.number("p90_ape", not_negative);
    residuals.quantiles = fields.numbers("quantiles", any_number);
    if (!std::is_sorted(residuals.quantiles.begin(), residuals.quantiles.end()))
        fields.fail("quantiles", "they must rise");
    fields.finish();
    return residuals;
}

ResidualLearner read_learner(const Fields& fields) {
    ResidualLearner learner;
    learner.low = fields.numbers("low", any_number);
    learner.high = fields.numbers("high", any_number);
    learner.centers = fields.numbers("centers", any_number);
    learner.weights = fields.numbers("weights", any_number);
    learner.widths = fields.numbers("widths", {1e-6, 1e6});
    learner.bound = fields.number("bound", {0, 10});
    if (learner.high.size() != learner.low.size()) fields.fail("high", "as many as 'low' are needed");
    if (learner.widths.size() != learner.low.size()) fields.fail("widths", "as many as 'low' are needed");
    if (learner.centers.size() != learner.weights.size() * learner.low.size())
        fields.fail("centers", "expected " + std::to_string(learner.weights.size()) + " points of " +
                                   std::to_string(learner.low.size()) + " numbers, got " +
                                   std::to_string(learner.centers.size()) + " numbers");
    fields.finish();
    return learner;
}

KernelModel read_kernel(const Fields& fields) {
    KernelModel model;
    model.kernel = profile_kernels[fields.choice("kernel", {profile_kernels.begin(), profile_kernels.end()})];
    model.library = fields.string("library");
    model.dtype = fields.string_or("dtype", "");
    model.kv_dtype = fields.string_or("kv_dtype", "");
    model.path = fields.string_or("path", "");
    model.topology = fields.string_or("topology", "");
    model.form = fields.string("form");
    for (const Fields& constant : fields.objects("constants")) model.constants.push_back(read_constant(constant));
    if (model.constants.empty()) fields.fail("constants", "the list must not be empty");
    if (fields.has("covariance")) model.covariance = fields.numbers("covariance", any_number);
    if (!model.covariance.empty() && model.covariance.size() != model.constants.size() * model.constants.size())
        fields.fail("covariance", "expected the square of the number of constants, " +
                                      std::to_string(model.constants.size()) + " x " +
                                      std::to_string(model.constants.size()) + " numbers");
    if (fields.has("learner")) model.learner = read_learner(fields.object("learner"));
    model.residuals = read_residuals(fields.object("residuals"));
    if (fields.has("shape_residuals")) model.shape_residuals = read_residuals(fields.object("shape_residuals"));
    if (fields.has("ranges"))
        for (const Fields& range : fields.objects("ranges")) model.ranges.push_back(read_range(range));
    model.points = static_cast<std::size_t>(fields.integer("points", {1, 1e9}));
    model.origin = read_origin(fields);
    model.source = fields.string("source");
    fields.finish();
    return model;
}

}  // namespace

Profile read_profile(const Fields& fields) {
    check_version(fields);
    Profile profile;
    EntryHead head = read_head(fields, "profile");
    profile.name = std::move(head.name);
    profile.aliases = std::move(head.aliases);
    if (!fields.boolean("generated"))
        fields.fail("generated", "a profile is what 'plimsoll calibrate' wrote, and never edited");
    profile.gpu = fields.string("gpu");
    profile.date = fields.string("date");
    profile.source = fields.string("source");
    const Fields environment = fields.object_or_empty("environment");
    for (const std::string& key : environment.keys()) profile.environment.emplace_back(key, environment.string(key));
    for (const Fields& kernel : fields.objects("kernels")) profile.kernels.push_back(read_kernel(kernel));
    if (profile.kernels.empty()) fields.fail("kernels", "the list must not be empty");
    fields.finish();
    return profile;
}

}  // namespace plimsoll
