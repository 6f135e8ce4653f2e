#include "cli/output_file.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 16;

std::array<std::atomic<const char*>, 8> unfinished{};

int take_slot(const char* path) {
    for (std::size_t i = 0; i < unfinished.size(); ++i) {
        const char* free = nullptr;
        if (unfinished[i].compare_exchange_strong(free, path)) return static_cast<int>(i);
    }
    return -1;
}

/// 0 or an errno value.
int write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(file, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return 0;
}

/// Whether to write to it as it stands: devices, pipes, and the names of open files, which are links even to plain
/// ones.
bool stands_for_open(const std::string& path) {
    struct stat status {};
    const bool of_system = path.starts_with("/dev/") || path.starts_with("/proc/");
    if (of_system && ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) return true;
    return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

/// The file that a link leads to, so that the link stays.
std::string behind_links(const std::string& path) {
    std::error_code error;
    const std::filesystem::path target = std::filesystem::canonical(path, error);
    return error ? path : target.string();
}

}  // namespace

void remove_unfinished_files() {
    for (const auto& slot : unfinished)
        if (const char* path = slot.load()) ::unlink(path);
}

OutputFile::OutputFile(std::string path) : path_(path == "-" ? "/dev/stdout" : std::move(path)) {
    special_ = stands_for_open(path_);
    target_ = special_ ? path_ : behind_links(path_);
    if (!special_) unfinished_ = target_ + ".tmp" + std::to_string(::getpid());
    file_ = special_ ? ::open(path_.c_str(), O_WRONLY | O_APPEND)
                     : ::open(unfinished_.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (file_ < 0) throw EnvironmentError(path_, errno);
    if (!special_) slot_ = take_slot(unfinished_.c_str());
    buffer_.reserve(buffer_size);
}

OutputFile::~OutputFile() {
    if (file_ < 0) return;
    ::close(file_);
    if (!special_) ::unlink(unfinished_.c_str());
    if (slot_ >= 0) unfinished[static_cast<std::size_t>(slot_)] = nullptr;
}

void OutputFile::fail(int error) {
    throw EnvironmentError(path_, error);
}

void OutputFile::write(std::string_view text) {
    if (buffer_.size() + text.size() > buffer_size) flush();
    if (text.size() < buffer_size)
        buffer_ += text;
    else if (const int error = write_all(file_, text))
        fail(error);
}

void OutputFile::flush() {
    const int error = write_all(file_, buffer_);
    buffer_.clear();
    if (error != 0) fail(error);
}

void OutputFile::complete() {
    flush();
    const int file = file_;
    file_ = -1;
    int error = ::close(file) != 0 ? errno : 0;
    if (!special_ && error == 0 && ::rename(unfinished_.c_str(), target_.c_str()) != 0) error = errno;
    if (!special_ && error != 0) ::unlink(unfinished_.c_str());
    if (slot_ >= 0) unfinished[static_cast<std::size_t>(slot_)] = nullptr;
    if (error != 0) fail(error);
}

void write_file(const std::string& path, std::string_view text) {
    OutputFile file(path);
    file.write(text);
    file.complete();
}

}  // namespace plimsoll
