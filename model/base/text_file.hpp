#pragma once
#include <cstddef>
#include <string>

namespace plimsoll {

/// The contents of a file or pipe. Throws EnvironmentError for what cannot be read, a folder too, and InputError for
/// more than `most` bytes, so that a device without end does not fill the memory.
[[nodiscard]] std::string text_of_file(const std::string& path, std::size_t most = std::size_t{2} << 30U);

}  // namespace plimsoll
