#pragma once
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <sys/wait.h>

#include "cli/program.hpp"

/// The command line in process, for tests.
namespace cli {

struct Result {
    int code = 0;
    std::string out, errors;
};

inline const std::string round_data = "tests/cli/data";
inline const std::string shipped_data = ".";

/// Runs the program on the round figures of tests/cli/data, or on other data.
inline Result run(const std::vector<std::string>& arguments, const std::string& data = round_data,
                  std::size_t width = 80) {
    std::ostringstream out, errors;
    const int code = plimsoll::run_program(arguments, {data, width, &out, &errors});
    return {code, out.str(), errors.str()};
}

/// The words of a command line without quotes.
inline std::vector<std::string> words(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> result;
    for (std::string word; stream >> word;) result.push_back(word);
    return result;
}

inline std::vector<std::string> lines(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> result;
    for (std::string line; std::getline(stream, line);) result.push_back(line);
    return result;
}

inline std::string read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

struct Process {
    int code = 0;
    std::string out;
};

/// A shell command with its exit code and standard output.
inline Process shell(const std::string& command) {
    Process process;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return {-1, ""};
    char buffer[4096];
    while (const std::size_t read = std::fread(buffer, 1, sizeof buffer, pipe)) process.out.append(buffer, read);
    const int status = ::pclose(pipe);
    process.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return process;
}

/// A folder that goes away with the test.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "plimsoll-test-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::string& path() const { return path_; }
    void write(const std::string& name, const std::string& text) const {
        const std::filesystem::path file = std::filesystem::path(path_) / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << text;
    }
    [[nodiscard]] std::size_t files() const {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) count += entry.is_regular_file();
        return count;
    }

  private:
    std::string path_;
};

}  // namespace cli
