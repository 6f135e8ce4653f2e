#include "model/base/text_file.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "model/base/error.hpp"

namespace plimsoll {

std::string text_of_file(const std::string& path, std::size_t most) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (file == nullptr) throw EnvironmentError(path, errno);
    std::string text;
    std::array<char, 65536> block{};
    while (text.size() <= most) {
        const std::size_t count = std::fread(block.data(), 1, block.size(), file.get());
        text.append(block.data(), count);
        if (count < block.size()) break;
    }
    if (std::ferror(file.get()) != 0) throw EnvironmentError(path, errno);
    if (text.size() > most) throw InputError(path, "the file is larger than " + std::to_string(most >> 20U) + " MiB");
    return text;
}

}  // namespace plimsoll
