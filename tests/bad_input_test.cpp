#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "model/base/error.hpp"
#include "model/cost/memory.hpp"
#include "model/cost/speculation.hpp"
#include "scenarios/reader.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

/// A row of tests/bad_input/expected.tsv; its first line says what the columns are.
struct Row {
    std::string file, data, arguments, exit_code, message;
};

std::vector<Row> expected_rows() {
    std::ifstream stream("tests/bad_input/expected.tsv");
    std::vector<Row> rows;
    for (std::string line; std::getline(stream, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream cells(line);
        Row row;
        for (std::string* cell : {&row.file, &row.data, &row.arguments, &row.exit_code, &row.message})
            std::getline(cells, *cell, '\t');
        rows.push_back(row);
    }
    return rows;
}

std::vector<Override> overrides_of(const std::string& arguments) {
    std::vector<Override> result;
    std::istringstream words(arguments);
    for (std::string word; words >> word;) {
        if (word == "-" || word == "--set") continue;
        const std::size_t equals = word.find('=');
        result.push_back({word.substr(0, equals), word.substr(equals + 1), "--set " + word});
    }
    return result;
}

/// What the first deployment that the scenario asks for is refused for, as the planner will find.
std::string first_refusal(const Scenario& scenario, Catalog& catalog) {
    Deployment deployment;
    deployment.node = scenario.nodes.at(0);
    deployment.gpu = &catalog.gpus.at(deployment.node->gpu, "test");
    deployment.model = scenario.models.at(0);
    deployment.engine = scenario.engines.at(0);
    deployment.tensor_parallel = scenario.tensor_parallel.at(0);
    deployment.max_sequences = deployment.engine->max_sequences;
    const auto first = [](const std::vector<int>& degrees) { return degrees.empty() ? 1 : degrees.front(); };
    deployment.expert_parallel = first(scenario.expert_parallel);
    deployment.context_parallel = first(scenario.context_parallel);
    deployment.speculation = scenario.speculation;
    const Architecture architecture(*deployment.model);
    if (const auto why = architecture.refusal(split_of(deployment))) return *why;
    if (const auto why = engine_refusal(deployment)) return *why;
    if (const auto why = speculation_refusal(deployment)) return *why;
    const auto too_large = memory_budget(architecture, deployment).refusal(*deployment.gpu);
    return too_large ? too_large->why : "nothing";
}

/// Exit code and message that the program would end with.
std::pair<std::string, std::string> outcome(const Row& row, Catalog& catalog) {
    try {
        const Scenario scenario = read_scenario(row.file, overrides_of(row.arguments), catalog);
        return row.exit_code == "3" ? std::pair<std::string, std::string>{"3", first_refusal(scenario, catalog)}
                                    : std::pair<std::string, std::string>{"0", ""};
    } catch (const InputError& error) {
        return {"2", error.what()};
    } catch (const EnvironmentError& error) {
        return {"4", error.what()};
    }
}

bool matches(const std::string& message, const std::string& expected) {
    constexpr std::string_view open_end = " ...";
    if (!expected.ends_with(open_end)) return message == expected;
    return message.starts_with(expected.substr(0, expected.size() - open_end.size() + 1));
}

}  // namespace

// Paths in the table and in messages start at the source directory, where ctest runs the tests.
TEST_CASE("bad input: every file of the table is refused with its message") {
    const std::vector<Row> rows = expected_rows();
    REQUIRE(rows.size() >= 32);
    Catalog shipped({"."});
    for (const Row& row : rows) {
        INFO(row.file << " " << row.data << " " << row.arguments);
        Catalog overlaid({".", row.data});
        const auto [exit_code, message] = outcome(row, row.data == "-" ? shipped : overlaid);
        CHECK(exit_code == row.exit_code);
        INFO("message:  " << message);
        INFO("expected: " << row.message);
        CHECK(matches(message, row.message));
    }
}

TEST_CASE("bad input: the file that the overrides are tried on is itself right") {
    Catalog catalog({"."});
    CHECK(read_scenario("tests/bad_input/valid.json", {}, catalog).models.size() == 1);
}
