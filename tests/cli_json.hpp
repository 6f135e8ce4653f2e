#pragma once
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "tests/cli_run.hpp"

/// Answers in JSON and the page that documents them, for tests.
namespace cli {

using Json = nlohmann::json;

inline Json answer_of(std::vector<std::string> arguments, const std::string& data = round_data, int code = 0) {
    arguments.insert(arguments.end(), {"--format", "json"});
    const Result result = run(arguments, data);
    INFO(result.errors);
    CHECK(result.code == code);
    return Json::parse(result.out);
}

/// "a.{b,c}" as "a.b" and "a.c".
inline std::vector<std::string> expanded(const std::string& key) {
    const std::size_t open = key.find('{');
    if (open == key.npos) return {key};
    std::vector<std::string> keys;
    std::istringstream words(key.substr(open + 1, key.find('}') - open - 1));
    for (std::string word; std::getline(words, word, ',');) keys.push_back(key.substr(0, open) + word);
    return keys;
}

/// The keys in backquotes of the first column of the table below a heading of docs/json.md.
inline std::set<std::string> documented(const std::string& heading) {
    std::set<std::string> keys;
    bool inside = false;
    for (const std::string& line : lines(read("docs/json.md"))) {
        if (line.starts_with("#")) inside = line == heading;
        if (!inside || !line.starts_with("| `")) continue;
        const std::string cell = line.substr(0, line.find(" | "));
        for (std::size_t from = cell.find('`'); from != cell.npos; from = cell.find('`', from)) {
            const std::size_t to = cell.find('`', from + 1);
            for (const std::string& key : expanded(cell.substr(from + 1, to - from - 1))) keys.insert(key);
            from = to + 1;
        }
    }
    return keys;
}

inline void collect(const Json& object, const std::string& prefix, std::set<std::string>& keys) {
    for (const auto& [key, value] : object.items()) {
        if (value.is_object())
            collect(value, prefix + key + ".", keys);
        else
            keys.insert(prefix + key);
    }
}

inline std::set<std::string> keys_of(const Json& object) {
    std::set<std::string> keys;
    collect(object, "", keys);
    return keys;
}

}  // namespace cli
