#include "cli/output_file.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

std::atomic<const char*> unfinished{nullptr};

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

const char* unfinished_file() {
    return unfinished.load();
}

void write_file(const std::string& path, std::string_view text) {
    struct stat status {};
    // A device or pipe is no file to be replaced.
    const bool special = ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
    const std::string target = special ? path : path + ".tmp" + std::to_string(::getpid());
    const int file = ::open(target.c_str(), special ? O_WRONLY : O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (file < 0) throw EnvironmentError(path, errno);
    if (!special) unfinished = target.c_str();
    int error = write_all(file, text);
    if (::close(file) != 0 && error == 0) error = errno;
    if (!special && error == 0 && ::rename(target.c_str(), path.c_str()) != 0) error = errno;
    if (!special && error != 0) ::unlink(target.c_str());
    unfinished = nullptr;
    if (error != 0) throw EnvironmentError(path, error);
}

}  // namespace plimsoll
