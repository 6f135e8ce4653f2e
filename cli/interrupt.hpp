#pragma once
#include <atomic>

namespace plimsoll {

/// While it lives, the first SIGINT or SIGTERM sets a flag instead of ending the program, so that a long computation
/// can stop and answer with what it has; another one, a quarter of a second later or more, ends it. One at a time.
class InterruptFlag {
  public:
    InterruptFlag();
    InterruptFlag(const InterruptFlag&) = delete;
    InterruptFlag& operator=(const InterruptFlag&) = delete;
    ~InterruptFlag();

    [[nodiscard]] const std::atomic<bool>& raised() const;
};

/// Ends the program with exit code 130 when it is interrupted; temporary files go away.
void end_when_interrupted();

inline constexpr int exit_interrupted = 130;

}  // namespace plimsoll
