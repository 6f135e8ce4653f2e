#include "calibrate/host/thread_team.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace plimsoll {
namespace {

/// Time that this thread has had a processor; nothing where the system cannot tell.
Seconds processor_time() {
#ifdef CLOCK_THREAD_CPUTIME_ID
    timespec time{};
    if (::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0)
        return Seconds(static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec));
#endif
    return steady_time();
}

}  // namespace

Seconds steady_time() {
    return Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

double estimated_clock_mhz() {
    constexpr int steps = 8000;
    constexpr double cycles_a_step = 6.0;
    const Seconds start = processor_time();
    std::uint64_t state = 88172645463325252U;
    for (int i = 0; i < steps; ++i) {
        state ^= state << 13U;
        state ^= state >> 7U;
        state ^= state << 17U;
    }
    const volatile std::uint64_t kept = state;
    static_cast<void>(kept);
    return steps * cycles_a_step / (processor_time() - start).value() * 1e-6;
}

ThreadTeam::ThreadTeam(int threads) : shares_(static_cast<std::size_t>(threads)) {
    for (int thread = 1; thread < threads; ++thread) others_.emplace_back([this, thread] { serve(thread); });
}

ThreadTeam::~ThreadTeam() {
    over_ = true;
    ++round_;
    round_.notify_all();
    for (std::thread& other : others_) other.join();
}

void ThreadTeam::do_share(int thread) {
    const Seconds start = processor_time();
    (*work_)(thread);
    shares_[static_cast<std::size_t>(thread)] = processor_time() - start;
}

void ThreadTeam::serve(int thread) {
    for (unsigned seen = 0;;) {
        round_.wait(seen);
        ++seen;
        if (over_) return;
        do_share(thread);
        if (--busy_ == 0) busy_.notify_all();
    }
}

TeamTime ThreadTeam::run(const std::function<void(int)>& work) {
    work_ = &work;
    busy_ = static_cast<int>(others_.size());
    const Seconds start = steady_time();
    ++round_;
    round_.notify_all();
    do_share(0);
    for (int left = busy_; left > 0; left = busy_) busy_.wait(left);
    return {steady_time() - start, *std::max_element(shares_.begin(), shares_.end())};
}

}  // namespace plimsoll
