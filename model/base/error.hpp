#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plimsoll {

/// The user's failure: something in the input is wrong. Exit code 2.
/// `what()` reads "<place>: <what is wrong>", where the place is a file with JSON pointer or line, or an option.
class InputError : public std::runtime_error {
  public:
    InputError(std::string place, const std::string& message)
        : std::runtime_error(place + ": " + message), place_(std::move(place)) {}
    [[nodiscard]] const std::string& place() const { return place_; }

  private:
    std::string place_;
};

/// The machine's failure: a path that cannot be read or written, a full disk. Exit code 4.
class EnvironmentError : public std::runtime_error {
  public:
    /// `error_number` is an errno value; its text is appended to the path.
    EnvironmentError(const std::string& path, int error_number);
};

/// The question's failure, a value and not an exception: why something that was asked for cannot be.
struct Infeasible {
    std::string why;
};

/// The text in single quotes for a message: control characters shown as '?', a long text cut to `most` bytes and "...".
[[nodiscard]] std::string in_quotes(std::string_view text, std::size_t most = 80);

/// The known name nearest to `name` by edit distance without regard to case, or "" when none is near
/// (more than a third of the length, but at least two edits, is far). Ties go to the first.
[[nodiscard]] std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

/// "unknown <kind> 'name'; did you mean 'x'? known: a, b, c" with the known names sorted, at most twelve of
/// them and then "and N more".
[[nodiscard]] std::string unknown_name(std::string_view kind, std::string_view name, std::vector<std::string> known);

namespace detail {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}

}  // namespace plimsoll

/// Our own failure: an invariant of this program does not hold. Prints the place and aborts, in every build type.
#define PLIMSOLL_ASSERT(condition) \
    ((condition) ? static_cast<void>(0) : ::plimsoll::detail::assertion_failed(#condition, __FILE__, __LINE__))
