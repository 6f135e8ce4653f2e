// The JSON Schemas that editors use, against the files that the program reads.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/catch.hpp"

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path source = PLIMSOLL_SOURCE_DIR;

Json read(const fs::path& file) {
    std::ifstream stream(file);
    return Json::parse(stream);
}

/// The keywords of JSON Schema (2020-12) that the shipped schemas use.
class Schema {
  public:
    explicit Schema(const std::string& kind) : root_(read(source / "schemas" / (kind + ".schema.json"))) {}

    [[nodiscard]] const Json& root() const { return root_; }
    /// Where and why the value does not fit; empty where it does.
    [[nodiscard]] std::string error(const Json& value) const { return error(root_, value, ""); }

    [[nodiscard]] static bool annotates(const std::string& keyword) {
        static const std::set<std::string> known{"$schema", "$id", "title", "description", "examples", "$defs"};
        return known.count(keyword) > 0;
    }

  private:
    static bool is_of(const std::string& type, const Json& value) {
        if (type == "object") return value.is_object();
        if (type == "array") return value.is_array();
        if (type == "string") return value.is_string();
        if (type == "boolean") return value.is_boolean();
        if (type == "null") return value.is_null();
        if (type == "number") return value.is_number();
        REQUIRE(type == "integer");
        return value.is_number_integer() ||
               (value.is_number() && value.get<double>() == std::floor(value.get<double>()));
    }

    static std::size_t points_in(const std::string& utf8) {
        return static_cast<std::size_t>(
            std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
    }

    [[nodiscard]] std::string error(const Json& schema, const Json& value, const std::string& at) const {
        if (schema.is_boolean()) return schema.get<bool>() ? "" : at + " is not allowed";
        for (const auto& [keyword, operand] : schema.items()) {
            if (annotates(keyword) || keyword == "then" || keyword == "else") continue;
            std::string why = keyword_error(keyword, operand, schema, value, at);
            if (!why.empty()) return why;
        }
        return "";
    }

    [[nodiscard]] bool fits(const Json& schema, const Json& value) const { return error(schema, value, "").empty(); }

    [[nodiscard]] std::string keyword_error(const std::string& keyword, const Json& operand, const Json& schema,
                                            const Json& value, const std::string& at) const {
        const auto must = [&](bool holds) { return holds ? "" : at + " breaks " + keyword + " " + operand.dump(); };
        const auto count = [&](const Json& alternatives) {
            return std::count_if(alternatives.begin(), alternatives.end(),
                                 [&](const Json& s) { return fits(s, value); });
        };
        if (keyword == "$ref")
            return error(root_.at(Json::json_pointer(operand.get<std::string>().substr(1))), value, at);
        if (keyword == "type") {
            if (operand.is_string()) return must(is_of(operand, value));
            return must(std::any_of(operand.begin(), operand.end(), [&](const Json& t) { return is_of(t, value); }));
        }
        if (keyword == "const") return must(value == operand);
        if (keyword == "enum") return must(std::find(operand.begin(), operand.end(), value) != operand.end());
        if (keyword == "anyOf") return must(count(operand) > 0);
        if (keyword == "oneOf") return must(count(operand) == 1);
        if (keyword == "not") return must(!fits(operand, value));
        if (keyword == "if") {
            const char* branch = fits(operand, value) ? "then" : "else";
            return schema.contains(branch) ? error(schema.at(branch), value, at) : "";
        }
        if (value.is_number()) return must(number_holds(keyword, operand, value));
        if (value.is_string()) return must(string_holds(keyword, operand, value));
        if (value.is_array()) return array_error(keyword, operand, value, at);
        if (value.is_object()) return object_error(keyword, operand, schema, value, at);
        return "";
    }

    static bool number_holds(const std::string& keyword, const Json& operand, double value) {
        if (keyword == "minimum") return value >= operand.get<double>();
        if (keyword == "maximum") return value <= operand.get<double>();
        return keyword != "exclusiveMinimum" || value > operand.get<double>();
    }

    static bool string_holds(const std::string& keyword, const Json& operand, const std::string& value) {
        if (keyword == "minLength") return points_in(value) >= operand.get<std::size_t>();
        return keyword != "pattern" || std::regex_search(value, std::regex(operand.get<std::string>()));
    }

    [[nodiscard]] std::string array_error(const std::string& keyword, const Json& operand, const Json& value,
                                          const std::string& at) const {
        bool holds = true;
        if (keyword == "minItems") holds = value.size() >= operand.get<std::size_t>();
        if (keyword == "maxItems") holds = value.size() <= operand.get<std::size_t>();
        if (keyword == "uniqueItems") holds = std::set<Json>(value.begin(), value.end()).size() == value.size();
        if (keyword == "items")
            for (std::size_t i = 0; i < value.size(); ++i) {
                std::string why = error(operand, value[i], at + "/" + std::to_string(i));
                if (!why.empty()) return why;
            }
        return holds ? "" : at + " breaks " + keyword;
    }

    [[nodiscard]] std::string object_error(const std::string& keyword, const Json& operand, const Json& schema,
                                           const Json& value, const std::string& at) const {
        if (keyword == "minProperties") return value.size() >= operand.get<std::size_t>() ? "" : at + " is empty";
        if (keyword == "required") return missing(operand, value, at);
        for (const auto& [key, field] : value.items()) {
            const bool named = schema.contains("properties") && schema.at("properties").contains(key);
            std::string why;
            if (keyword == "properties" && named) why = error(operand.at(key), field, at + "/" + key);
            if (keyword == "additionalProperties" && !named) why = error(operand, field, at + "/" + key);
            if (keyword == "propertyNames") why = error(operand, key, at + "/" + key);
            if (keyword == "dependentRequired" && operand.contains(key)) why = missing(operand.at(key), value, at);
            if (!why.empty()) return why;
        }
        return "";
    }

    static std::string missing(const Json& required, const Json& value, const std::string& at) {
        for (const Json& key : required)
            if (!value.contains(key.get<std::string>())) return at + " has no " + key.get<std::string>();
        return "";
    }

    Json root_;
};

/// Folders of files of a kind, by the name of its schema.
const std::map<std::string, std::string> folders{{"gpu", "hardware_db/gpus"},
                                                 {"link", "hardware_db/links"},
                                                 {"node", "hardware_db/nodes"},
                                                 {"profile", "hardware_db/profiles"},
                                                 {"efficiency-class", "hardware_db/classes"},
                                                 {"model", "scenarios/library/models"},
                                                 {"engine", "scenarios/library/engines"},
                                                 {"workload", "scenarios/library/workloads"},
                                                 {"assumptions", "scenarios/library/assumptions"},
                                                 {"scenario", "scenarios"}};

/// Every schema that stands in a schema, by its keywords.
void visit(const Json& schema, const std::function<void(const std::string&, const Json&)>& tell) {
    if (!schema.is_object()) return;
    for (const auto& [keyword, operand] : schema.items()) {
        tell(keyword, operand);
        const bool named = keyword == "properties" || keyword == "$defs";
        const bool listed = keyword == "anyOf" || keyword == "oneOf";
        if (named || listed)
            for (const Json& inner : operand) visit(inner, tell);
        else
            visit(operand, tell);
    }
}

}  // namespace

TEST_CASE("Every shipped file fits its schema, and not with a field that the schema does not have") {
    for (const auto& [kind, folder] : folders) {
        const Schema schema(kind);
        int files = 0;
        for (const auto& entry : fs::directory_iterator(source / folder)) {
            if (entry.path().extension() != ".json") continue;
            ++files;
            CAPTURE(entry.path().string());
            Json value = read(entry.path());
            CHECK(schema.error(value) == "");
            value["no_such_field"] = 1;
            CHECK_FALSE(schema.error(value).empty());
        }
        CAPTURE(kind);
        CHECK(files > 0);
    }
}

TEST_CASE("Every reference within a schema leads somewhere") {
    for (const auto& [kind, folder] : folders) {
        const Schema schema(kind);
        int references = 0;
        visit(schema.root(), [&](const std::string& keyword, const Json& operand) {
            if (keyword != "$ref" || !operand.is_string()) return;
            CAPTURE(kind, operand.dump());
            CHECK(schema.root().contains(Json::json_pointer(operand.get<std::string>().substr(1))));
            ++references;
        });
        if (kind != "assumptions") CHECK(references > 0);
    }
}
