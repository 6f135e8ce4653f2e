#pragma once
#include <string>
#include <string_view>

#include "simulator/text_sink.hpp"

namespace plimsoll {

/// A file under a temporary name beside `path` that gets its name when it is complete, so that nobody sees half of it.
/// A device, a pipe or what stands for an open file is written to as it is, and `-` is the standard output. Writing is
/// buffered; failures are EnvironmentErrors of `path`.
class OutputFile final : public TextSink {
  public:
    explicit OutputFile(std::string path);
    /// A file that was not completed goes away.
    ~OutputFile() override;

    void write(std::string_view text) override;
    /// Everything is written: the file gets its name.
    void complete();

  private:
    void flush();
    [[noreturn]] void fail(int error);

    std::string path_;        ///< as given
    std::string target_;      ///< links followed
    std::string unfinished_;  ///< the temporary name
    bool special_ = false;    ///< written to as it stands
    int file_ = -1;
    int slot_ = -1;  ///< among the unfinished files
    std::string buffer_;
};

/// Writes the text to an OutputFile.
void write_file(const std::string& path, std::string_view text);

/// Removes all temporary files being written; for a signal handler that ends the program.
void remove_unfinished_files();

}  // namespace plimsoll
