#include "cli/calibration_files.hpp"

#include <cerrno>
#include <filesystem>

#include <unistd.h>

#include "cli/output_file.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

void make_folder(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw EnvironmentError(folder.string(), error.value());
}

}  // namespace

void prepare_folder(const std::string& folder) {
    make_folder(folder);
    if (::access(folder.c_str(), W_OK | X_OK) != 0) throw EnvironmentError(folder, errno);
    // Who may do everything is told that a folder can be written even where the file system is read-only or full.
    const OutputFile trial((std::filesystem::path(folder) / "trial").string());
}

void write_files(const std::string& folder, const std::map<std::string, std::string>& files) {
    for (const auto& [path, text] : files) {
        const std::filesystem::path file = std::filesystem::path(folder) / path;
        make_folder(file.parent_path());
        write_file(file.string(), text);
    }
}

}  // namespace plimsoll
