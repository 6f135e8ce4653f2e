#include "calibrate/profile_writer.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

using Json = nlohmann::ordered_json;

/// Sets a text where there is one: the reader takes no empty ones.
void set_text(Json& object, const char* key, const std::string& text) {
    if (!text.empty()) object[key] = text;
}

Json json_of(const ResidualLearner& learner) {
    return {{"low", learner.low},     {"high", learner.high},       {"widths", learner.widths},
            {"bound", learner.bound}, {"centers", learner.centers}, {"weights", learner.weights}};
}

Json json_of(const Residuals& residuals) {
    return {{"count", residuals.count},           {"bias", residuals.bias},       {"mean_ape", residuals.mean_ape},
            {"median_ape", residuals.median_ape}, {"p90_ape", residuals.p90_ape}, {"quantiles", residuals.quantiles}};
}

Json json_of(const KernelModel& model) {
    Json object{{"kernel", model.kernel}, {"library", model.library}};
    set_text(object, "dtype", model.dtype);
    set_text(object, "kv_dtype", model.kv_dtype);
    set_text(object, "path", model.path);
    set_text(object, "topology", model.topology);
    object["form"] = model.form;
    object["origin"] = to_string(model.origin);
    object["source"] = model.source;
    object["points"] = model.points;
    object["constants"] = Json::array();
    for (const FittedConstant& constant : model.constants)
        object["constants"].push_back(
            {{"name", constant.name}, {"value", constant.value}, {"standard_error", constant.standard_error}});
    if (!model.covariance.empty()) object["covariance"] = model.covariance;
    object["residuals"] = json_of(model.residuals);
    if (model.shape_residuals.count > 0) object["shape_residuals"] = json_of(model.shape_residuals);
    if (!model.ranges.empty()) object["ranges"] = Json::array();
    for (const ValidRange& range : model.ranges)
        object["ranges"].push_back({{"name", range.name}, {"low", range.low}, {"high", range.high}});
    if (!model.learner.weights.empty()) object["learner"] = json_of(model.learner);
    return object;
}

/// A number that is not finite has no JSON; better said here than found when the profile is read again.
void refuse_infinite(const Json& value, const std::string& path, const std::string& place) {
    if (value.is_number_float() && !std::isfinite(value.get<double>()))
        throw InputError(place, "the fit gave no finite number for " + path);
    if (value.is_structured())
        for (const auto& [key, member] : value.items()) refuse_infinite(member, path + "/" + key, place);
}

bool is_short(const Json& value) {
    if (!value.is_structured()) return true;
    for (const Json& member : value)
        if (member.is_structured()) return false;
    return value.is_array() || value.size() <= 4;
}

/// Lists of numbers and small objects on one line, all else on lines of their own.
void write(const Json& value, const std::string& indent, std::string& text) {
    if (is_short(value)) {
        text += value.dump();
        return;
    }
    const std::string inner = indent + "  ";
    const bool object = value.is_object();
    text += object ? '{' : '[';
    bool first = true;
    for (const auto& [key, member] : value.items()) {
        text += (first ? "\n" : ",\n") + inner;
        if (object) text += Json(key).dump() + ": ";
        write(member, inner, text);
        first = false;
    }
    text += "\n" + indent + (object ? '}' : ']');
}

}  // namespace

std::string profile_json(const Profile& profile, const std::string& place) {
    Json object{{"schema", profile_schema}, {"generated", true}, {"name", profile.name}};
    if (!profile.aliases.empty()) object["aliases"] = profile.aliases;
    object["gpu"] = profile.gpu;
    object["date"] = profile.date;
    object["source"] = profile.source;
    if (!profile.environment.empty()) object["environment"] = Json::object();
    for (const auto& [key, value] : profile.environment) object["environment"][key] = value;
    object["kernels"] = Json::array();
    for (const KernelModel& kernel : profile.kernels) object["kernels"].push_back(json_of(kernel));
    refuse_infinite(object, "", place);
    std::string text;
    write(object, "", text);
    return text + "\n";
}

}  // namespace plimsoll
