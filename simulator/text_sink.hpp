#pragma once
#include <string_view>

namespace plimsoll {

/// Where a writer of this folder hands its text, piece by piece; files are the command line's.
class TextSink {
  public:
    TextSink() = default;
    TextSink(const TextSink&) = delete;
    TextSink& operator=(const TextSink&) = delete;
    virtual ~TextSink() = default;

    virtual void write(std::string_view text) = 0;
};

}  // namespace plimsoll
