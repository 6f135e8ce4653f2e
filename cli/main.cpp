#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <plimsoll_config.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/interrupt.hpp"
#include "cli/program.hpp"

namespace {

/// $PLIMSOLL_DATA, the source tree that this was built from, or the installed data beside the binary.
std::string data_directory() {
    namespace fs = std::filesystem;
    if (const char* named = std::getenv("PLIMSOLL_DATA"); named && *named) return named;
    std::error_code error;
    if (fs::is_directory(fs::path(PLIMSOLL_SOURCE_DATA_DIR) / "hardware_db", error)) return PLIMSOLL_SOURCE_DATA_DIR;
    const fs::path binary = fs::read_symlink("/proc/self/exe", error);
    return (binary.parent_path() / PLIMSOLL_INSTALL_DATA_DIR).lexically_normal().string();
}

/// $COLUMNS, the terminal's columns, or 80.
std::size_t terminal_width() {
    constexpr long least = 20, most = 1000;
    long columns = 0;
    if (const char* named = std::getenv("COLUMNS")) columns = std::strtol(named, nullptr, 10);
    winsize size{};
    if (columns <= 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) columns = size.ws_col;
    if (columns <= 0) columns = 80;
    return static_cast<std::size_t>(std::min(std::max(columns, least), most));
}

}  // namespace

int main(int count, char** values) {
    plimsoll::end_when_interrupted();
    plimsoll::Environment environment;
    environment.data_directory = data_directory();
    environment.width = terminal_width();
    environment.out = &std::cout;
    environment.errors = &std::cerr;
    environment.progress = ::isatty(STDERR_FILENO) == 1;
    return plimsoll::run_program({values + (count > 0 ? 1 : 0), values + count}, environment);
}
