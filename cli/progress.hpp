#pragma once
#include <atomic>
#include <chrono>
#include <iosfwd>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "simulator/observer.hpp"
#include "simulator/simulation.hpp"

namespace plimsoll {

/// How far several runs are, as a bar that is drawn again a few times a second and goes away in the end.
class Progress {
  public:
    /// `end`: when each run is over, by requests or by time; without either there is no bar. `stream` null: nothing is
    /// drawn.
    Progress(std::ostream* stream, std::uint32_t runs, const RunLimits& end);
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress();

    /// Who counts the requests of one run; null when nothing is drawn.
    [[nodiscard]] Observer* of_run(std::uint32_t index);

  private:
    class Counter;
    void draw();

    std::ostream* stream_;
    RunLimits end_;
    std::vector<std::unique_ptr<Counter>> counters_;
    std::mutex drawing_;
    std::chrono::steady_clock::time_point start_, drawn_;
    bool visible_ = false;
};

/// A line that is written over again and goes away in the end. `stream` null: nothing is written.
class StatusLine {
  public:
    explicit StatusLine(std::ostream* stream) : stream_(stream) {}
    StatusLine(const StatusLine&) = delete;
    StatusLine& operator=(const StatusLine&) = delete;
    ~StatusLine();

    void show(const std::string& text);

  private:
    std::ostream* stream_;
    bool visible_ = false;
};

}  // namespace plimsoll
