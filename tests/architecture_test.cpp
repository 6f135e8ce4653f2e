#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/catch.hpp"

namespace {

using Paths = std::vector<std::string_view>;

// A path belongs to the first row whose prefix it has, and its quoted includes start with one of that row's.
struct Room {
    std::string_view prefix;
    Paths sees;
};
const std::vector<Room> rooms = {
    {"model/base/", {"model/base/"}},
    {"model/spec/", {"model/base/", "model/spec/"}},
    {"model/cost/", {"model/base/", "model/spec/", "model/cost/"}},
    {"model/capacity/", {"model/"}},
    {"simulator/", {"model/base/", "model/spec/", "model/cost/", "simulator/"}},
    {"calibrate/cuda/", {"model/base/units.hpp", "model/base/registry.hpp", "calibrate/sample.hpp", "calibrate/cuda/"}},
    {"calibrate/", {"model/base/", "model/spec/", "model/cost/", "calibrate/"}},
    {"detect/", {"model/base/", "model/spec/", "detect/"}},
    {"scenarios/", {"model/", "simulator/", "scenarios/"}},
    {"cli/", {"model/", "simulator/", "calibrate/", "detect/", "scenarios/", "cli/", "plimsoll_config.hpp"}},
};

// An include in angle brackets with a slash starts with one of these parties and stands in a file of its fence.
struct Fence {
    std::string_view party;
    Paths allowed_in;
    Paths except = {};
};
const std::vector<Fence> fences = {
    {"nlohmann/", {"model/base/fields", "calibrate/profile_writer", "cli/formats/json.cpp", "cli/json"}},
    {"Eigen/", {"calibrate/fit", "calibrate/host/kernels/"}},
    {"CLI/", {"cli/"}},
    {"fmt/", {"model/", "simulator/", "calibrate/", "detect/", "scenarios/", "cli/"}, {"calibrate/cuda/"}},
    {"sys/", {"cli/"}},
    {"cub/", {"calibrate/cuda/"}},
};

// Calls (a word followed by a parenthesis) and names that only the command line may use, by the rooms they are kept
// out of. The failed assertion is the one place of a library room that prints and aborts.
struct Impurity {
    std::string_view word;
    bool call;
    Paths kept_out_of;
};
const Paths all_but_cli = {"model/", "simulator/", "calibrate/", "detect/", "scenarios/"};
const Paths without_clock = {"model/", "simulator/", "detect/", "scenarios/"};
const std::vector<Impurity> impurities = {
    {"cout", false, all_but_cli},           {"cerr", false, all_but_cli},
    {"clog", false, all_but_cli},           {"printf", true, all_but_cli},
    {"fprintf", true, all_but_cli},         {"puts", true, all_but_cli},
    {"fputs", true, all_but_cli},           {"exit", true, all_but_cli},
    {"quick_exit", true, all_but_cli},      {"_exit", true, all_but_cli},
    {"abort", true, all_but_cli},           {"getenv", true, all_but_cli},
    {"fmt::print", true, all_but_cli},      {"std::time", true, all_but_cli},
    {"clock", true, all_but_cli},           {"chrono", false, without_clock},
    {"steady_clock", false, without_clock}, {"random_device", false, all_but_cli},
};
constexpr std::string_view failed_assertion = "model/base/error.cpp";
constexpr std::size_t most_lines = 450;

bool starts_with_any(std::string_view text, const Paths& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return text.starts_with(prefix); });
}

bool is_word(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool mentions(std::string_view line, const Impurity& impurity) {
    for (auto at = line.find(impurity.word); at != line.npos; at = line.find(impurity.word, at + 1)) {
        const auto after = line.substr(at + impurity.word.size());
        if (at > 0 && is_word(line[at - 1])) continue;
        if (impurity.call ? after.starts_with("(") : after.empty() || !is_word(after.front())) return true;
    }
    return false;
}

std::optional<std::string> wrong_quoted_include(std::string_view path, std::string_view included) {
    for (const Room& room : rooms) {
        if (!path.starts_with(room.prefix)) continue;
        if (starts_with_any(included, room.sees)) return std::nullopt;
        return std::string(room.prefix) + " must not see " + std::string(included);
    }
    return "belongs to no room";
}

std::optional<std::string> wrong_angle_include(std::string_view path, std::string_view included) {
    if (starts_with_any(included, {"model/", "simulator/", "calibrate/", "detect/", "scenarios/", "cli/"}))
        return "our own headers are included in quotes: " + std::string(included);
    if (included.find('/') == included.npos) return std::nullopt;
    for (const Fence& fence : fences) {
        if (!included.starts_with(fence.party)) continue;
        if (starts_with_any(path, fence.allowed_in) && !starts_with_any(path, fence.except)) return std::nullopt;
        return std::string(included) + " is fenced and must not be included here";
    }
    return std::string(included) + " comes from a third party without a fence";
}

/// What is wrong with one line of the file at `path` (relative to the source tree), if anything.
std::optional<std::string> violation(std::string_view path, std::string_view line) {
    constexpr std::string_view directive = "#include ";
    if (const auto at = line.find(directive);
        at != line.npos && line.substr(0, at).find_first_not_of(' ') == line.npos) {
        const auto rest = line.substr(at + directive.size());
        const auto end = rest.find_first_of("\">", 1);
        if (end == rest.npos) return std::nullopt;
        const auto included = rest.substr(1, end - 1);
        return rest.front() == '"' ? wrong_quoted_include(path, included) : wrong_angle_include(path, included);
    }
    if (path == failed_assertion) return std::nullopt;
    const auto code = line.substr(0, line.find("//"));
    for (const Impurity& impurity : impurities)
        if (starts_with_any(path, impurity.kept_out_of) && mentions(code, impurity))
            return std::string(impurity.word) + " belongs to the command line";
    return std::nullopt;
}

struct SourceFile {
    std::string path;
    std::vector<std::string> lines;
};

std::vector<SourceFile> source_files(const std::vector<std::string>& folders) {
    namespace fs = std::filesystem;
    const fs::path root = PLIMSOLL_SOURCE_DIR;
    std::vector<SourceFile> files;
    for (const auto& folder : folders) {
        if (!fs::exists(root / folder)) continue;
        for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
            const auto extension = entry.path().extension();
            if (extension != ".cpp" && extension != ".hpp" && extension != ".cu" && extension != ".cuh") continue;
            SourceFile file{fs::relative(entry.path(), root).generic_string(), {}};
            std::ifstream stream(entry.path());
            for (std::string line; std::getline(stream, line);) file.lines.push_back(line);
            files.push_back(std::move(file));
        }
    }
    return files;
}

}  // namespace

TEST_CASE("architecture: every room keeps to its includes, fences and purity") {
    const auto files = source_files({"model", "simulator", "calibrate", "detect", "scenarios", "cli"});
    REQUIRE(files.size() >= 6);
    for (const auto& [path, lines] : files)
        for (std::size_t i = 0; i < lines.size(); ++i)
            if (const auto wrong = violation(path, lines[i]))
                FAIL_CHECK(path << ":" << i + 1 << ": " << *wrong << "\n    " << lines[i]);
}

TEST_CASE("architecture: a file is short enough to read") {
    for (const auto& [path, lines] :
         source_files({"model", "simulator", "calibrate", "detect", "scenarios", "cli", "tests", "benchmarks"})) {
        INFO(path);
        CHECK(lines.size() <= most_lines);
    }
}

// ctest gets the names through a CMake list and Catch's filter language, where these characters lose or join tests.
TEST_CASE("architecture: names of test cases survive their way through ctest") {
    constexpr std::string_view opening = "\nTEST_CASE(";
    for (const auto& [path, lines] : source_files({"tests"})) {
        std::string text = "\n";
        for (const auto& line : lines) text += line + '\n';
        for (auto at = text.find(opening); at != text.npos; at = text.find(opening, at + 1)) {
            const auto start = text.find_first_not_of(" \n", at + opening.size());
            if (start == text.npos || text[start] != '"') continue;
            const auto name = text.substr(start + 1, text.find('"', start + 1) - start - 1);
            INFO(path << ": " << name);
            CHECK(name.find_first_of("[];\\") == name.npos);
        }
    }
}

TEST_CASE("architecture: the checker sees what it should") {
    struct Sample {
        std::string_view path, line;
        bool wrong;
    };
    const auto sample = GENERATE(values<Sample>({
        {"model/base/a.cpp", "#include \"model/base/units.hpp\"", false},
        {"model/base/a.cpp", "#include \"model/spec/gpu.hpp\"", true},
        {"model/spec/a.hpp", "#include \"model/cost/work.hpp\"", true},
        {"model/cost/blocks/a.cpp", "#include \"model/cost/block.hpp\"", false},
        {"model/cost/blocks/a.cpp", "#include \"model/capacity/queueing.hpp\"", true},
        {"model/capacity/a.cpp", "#include \"simulator/cluster.hpp\"", true},
        {"simulator/a.cpp", "#include \"model/capacity/queueing.hpp\"", true},
        {"calibrate/cuda/a.cu", "#include \"model/base/fields.hpp\"", true},
        {"calibrate/cuda/a.cu", "#include \"model/base/units.hpp\"", false},
        {"calibrate/a.cpp", "#include \"scenarios/load.hpp\"", true},
        {"scenarios/a.cpp", "#include \"model/capacity/planner.hpp\"", false},
        {"scenarios/a.cpp", "  #include \"cli/command.hpp\"", true},
        {"cli/a.cpp", "#include \"calibrate/fit.hpp\"", false},
        {"model/base/a.cpp", "#include \"units.hpp\"", true},
        {"elsewhere/a.cpp", "#include \"model/base/units.hpp\"", true},
        {"model/base/a.cpp", "#include <model/base/units.hpp>", true},
        {"model/base/fields_parse.cpp", "#include <nlohmann/json.hpp>", false},
        {"model/spec/a.cpp", "#include <nlohmann/json.hpp>", true},
        {"calibrate/fit.cpp", "#include <Eigen/Dense>", false},
        {"calibrate/cpu/gemm.cpp", "#include <Eigen/Core>", true},
        {"calibrate/host/kernels/a.cpp", "#include <Eigen/Core>", false},
        {"calibrate/timing.cpp", "#include <Eigen/Dense>", true},
        {"scenarios/a.cpp", "#include <CLI/CLI.hpp>", true},
        {"calibrate/cuda/a.cu", "#include <fmt/format.h>", true},
        {"model/cost/a.cpp", "#include <boost/math.hpp>", true},
        {"model/cost/a.cpp", "#include <vector>", false},
        {"model/cost/a.cpp", "    std::cout << time;", true},
        {"model/cost/a.cpp", "    std::exit(2);", true},
        {"model/cost/a.cpp", "    const char* home = std::getenv(\"HOME\");", true},
        {"model/cost/a.cpp", "    const auto t = std::chrono::steady_clock::now();", true},
        {"model/cost/a.cpp", "    fmt::print(\"{}\", time);", true},
        {"model/cost/a.cpp", "    const auto time = on_exit(step); // exit() is elsewhere", false},
        {"calibrate/timing.hpp", "    using Clock = std::chrono::steady_clock;", false},
        {"cli/a.cpp", "    std::exit(2);", false},
    }));
    INFO(sample.path << ": " << sample.line);
    CHECK(violation(sample.path, sample.line).has_value() == sample.wrong);
}
