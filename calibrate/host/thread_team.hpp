#pragma once
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "model/base/units.hpp"

namespace plimsoll {

/// How long one piece of work of a team took.
struct TeamTime {
    Seconds elapsed;  ///< from the call until the last thread was done
    /// Longest that any thread had a processor for its share: without waking the threads, and without the time that
    /// other programs took away.
    Seconds busiest;
};

/// Threads that work together, the calling one among them; between two pieces of work they sleep.
class ThreadTeam {
  public:
    explicit ThreadTeam(int threads);
    ThreadTeam(const ThreadTeam&) = delete;
    ThreadTeam& operator=(const ThreadTeam&) = delete;
    ~ThreadTeam();

    /// Calls work(0) ... work(threads - 1) at the same time and waits for all.
    TeamTime run(const std::function<void(int thread)>& work);
    [[nodiscard]] int threads() const { return static_cast<int>(others_.size()) + 1; }

  private:
    void serve(int thread);
    void do_share(int thread);

    const std::function<void(int)>* work_ = nullptr;
    std::atomic<unsigned> round_{0};
    std::atomic<int> busy_{0};
    std::vector<Seconds> shares_;  ///< processor time by thread
    bool over_ = false;
    std::vector<std::thread> others_;
};

/// Clock of the processor in MHz, from a chain of dependent shifts and exclusive ors that take a cycle each on any
/// processor of the last twenty years; takes about 20 us. An estimate, good for seeing the clock fall.
[[nodiscard]] double estimated_clock_mhz();

/// Time of a steady clock.
[[nodiscard]] Seconds steady_time();

}  // namespace plimsoll
