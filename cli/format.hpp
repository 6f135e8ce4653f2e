#pragma once
#include <cstddef>
#include <string>

#include "cli/document.hpp"
#include "model/base/registry.hpp"

namespace plimsoll {

/// A way of writing a document, as one file of cli/formats registers it.
struct Format {
    std::string summary;
    bool provenance = false;  ///< begins with the program's version and the data's hash
    /// The whole text; `width` is what people have, in columns.
    std::string (*write)(const Document& document, std::size_t width) = nullptr;
};

/// All formats, by file name.
[[nodiscard]] const Registry<Format>& formats();

}  // namespace plimsoll
