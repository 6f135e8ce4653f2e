#pragma once
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/spec/catalog.hpp"

namespace plimsoll {

/// What the program takes from the machine; tests give their own.
struct Environment {
    std::string data_directory;      ///< the shipped data
    std::size_t width = 80;          ///< columns of the terminal
    std::ostream* out = nullptr;     ///< answers
    std::ostream* errors = nullptr;  ///< messages
    bool progress = false;           ///< `errors` is a terminal that somebody looks at
};

/// What commands share during one run: the data, read when first asked for.
class Session {
  public:
    Session(const Environment& environment, std::vector<std::string> overlays);
    /// Throws EnvironmentError or InputError for data directories that hold nothing.
    [[nodiscard]] Catalog& catalog();
    /// Where to show how far a long computation is; null: nobody looks.
    [[nodiscard]] std::ostream* progress() const { return progress_; }

  private:
    std::vector<std::string> directories_;
    std::unique_ptr<Catalog> catalog_;
    std::ostream* progress_;
};

}  // namespace plimsoll
