#pragma once
#include <string>
#include <string_view>

namespace plimsoll {

/// Writes the text to a temporary name beside `path` and renames it, so that nobody sees half a file.
/// Throws EnvironmentError; a temporary file does not stay behind.
void write_file(const std::string& path, std::string_view text);

/// The temporary file being written, or null; for a signal handler to remove.
[[nodiscard]] const char* unfinished_file();

}  // namespace plimsoll
