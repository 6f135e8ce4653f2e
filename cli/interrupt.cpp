#include "cli/interrupt.hpp"

#include <csignal>

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

extern "C" void raise_flag(int signal) {
    flag = true;
    std::signal(signal, end_program);
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
