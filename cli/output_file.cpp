#include "cli/output_file.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>

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

}  // namespace

void remove_unfinished_files() {
    for (const auto& slot : unfinished)
        if (const char* path = slot.load()) ::unlink(path);
}

OutputFile::OutputFile(std::string path) : path_(std::move(path)) {
    struct stat status {};
    special_ = ::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
    target_ = special_ ? path_ : path_ + ".tmp" + std::to_string(::getpid());
    file_ = ::open(target_.c_str(), special_ ? O_WRONLY : O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (file_ < 0) throw EnvironmentError(path_, errno);
    if (!special_) slot_ = take_slot(target_.c_str());
    buffer_.reserve(buffer_size);
}

OutputFile::~OutputFile() {
    if (file_ < 0) return;
    ::close(file_);
    if (!special_) ::unlink(target_.c_str());
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
    if (!special_ && error == 0 && ::rename(target_.c_str(), path_.c_str()) != 0) error = errno;
    if (!special_ && error != 0) ::unlink(target_.c_str());
    if (slot_ >= 0) unfinished[static_cast<std::size_t>(slot_)] = nullptr;
    if (error != 0) fail(error);
}

void write_file(const std::string& path, std::string_view text) {
    OutputFile file(path);
    file.write(text);
    file.complete();
}

}  // namespace plimsoll
