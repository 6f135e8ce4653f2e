#pragma once
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "model/base/error.hpp"
#include "model/base/fields.hpp"
#include "model/spec/hugging_face.hpp"
#include "model/spec/transformer.hpp"

/// What tests of published config.json files share.
namespace plimsoll::published {

inline const std::string folder = "tests/hugging_face/";

/// A row of tests/hugging_face/expected.tsv; its head says what the columns are.
struct Row {
    std::string name, parameters, origin, entry;
    [[nodiscard]] std::string file() const { return folder + name + "/config.json"; }
};

inline std::vector<Row> rows() {
    std::ifstream stream(folder + "expected.tsv");
    std::vector<Row> result;
    for (std::string line; std::getline(stream, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream cells(line);
        Row row;
        for (std::string* cell : {&row.name, &row.parameters, &row.origin, &row.entry})
            std::getline(cells, *cell, '\t');
        result.push_back(row);
    }
    return result;
}

/// A config of a family's test files with other values: path and JSON, or an empty text to drop it.
inline Fields config_with(const std::string& name, const std::vector<std::pair<std::string, std::string>>& changes) {
    const std::string file = folder + name + "/config.json";
    Fields fields = Fields::from_file(file);
    for (const auto& [path, value] : changes) fields.set(path, value.empty() ? "null" : value, file);
    return fields;
}

/// The same without some of its fields, which is not the same as null.
inline Fields config_without(const std::string& name, const std::set<std::string>& dropped) {
    const Fields fields = Fields::from_file(folder + name + "/config.json");
    std::string text;
    for (const std::string& key : fields.keys())
        if (!dropped.contains(key)) text += (text.empty() ? "{\"" : ", \"") + key + "\": " + fields.json(key);
    return Fields::from_text(text + "}", folder + name + "/config.json");
}

inline Transformer changed(const std::string& name, const std::vector<std::pair<std::string, std::string>>& changes) {
    return read_model(config_with(name, changes));
}

inline std::string refusal(const std::string& name, const std::vector<std::pair<std::string, std::string>>& changes) {
    try {
        static_cast<void>(changed(name, changes));
    } catch (const InputError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace plimsoll::published
