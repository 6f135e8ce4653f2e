#include "cli/interrupt.hpp"

#include <csignal>
#include <ctime>

#include <unistd.h>

#include "cli/output_file.hpp"

namespace plimsoll {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free);

using Handler = void (*)(int);
Handler earlier_interrupt = SIG_DFL, earlier_termination = SIG_DFL;

extern "C" void end_program(int) {
    remove_unfinished_files();
    ::_exit(exit_interrupted);
}

/// Seconds of a clock that a signal handler may read.
double now() {
    std::timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

volatile double raised_at = 0;

/// timeout(1) signals its child and then the group that the child is in: what comes within the pause is the same word.
extern "C" void raise_flag(int signal) {
    constexpr double pause = 0.25;
    if (!flag) raised_at = now();
    if (flag && now() - raised_at > pause) end_program(signal);
    flag = true;
}

}  // namespace

InterruptFlag::InterruptFlag() {
    flag = false;
    earlier_interrupt = std::signal(SIGINT, raise_flag);
    earlier_termination = std::signal(SIGTERM, raise_flag);
}

InterruptFlag::~InterruptFlag() {
    std::signal(SIGINT, earlier_interrupt);
    std::signal(SIGTERM, earlier_termination);
}

const std::atomic<bool>& InterruptFlag::raised() const {
    return flag;
}

void end_when_interrupted() {
    std::signal(SIGINT, end_program);
    std::signal(SIGTERM, end_program);
}

}  // namespace plimsoll
