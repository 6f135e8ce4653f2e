#include "cli/progress.hpp"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

namespace plimsoll {
namespace {

using namespace std::chrono_literals;
constexpr auto redraw = 200ms;
constexpr std::uint64_t look_every = 4096;  ///< requests between two looks at the clock
constexpr int bar_width = 40;

}  // namespace

/// Written by its own run alone, read by whoever draws.
class Progress::Counter final : public Observer {
  public:
    explicit Counter(Progress& progress) : progress_(progress) {}
    void finished(const Request& request) override { count(request.finished); }
    void unanswered(const Request& request) override { count(request.finished); }

    [[nodiscard]] double share() const { return share_.load(std::memory_order_relaxed); }

  private:
    void count(Seconds now) {
        if (++requests_ % look_every != 0) return;
        const double by_requests = static_cast<double>(requests_) / static_cast<double>(progress_.end_.requests);
        share_.store(std::min(1.0, std::max(by_requests, now / progress_.end_.time)), std::memory_order_relaxed);
        progress_.draw();
    }
    Progress& progress_;
    std::uint64_t requests_ = 0;
    std::atomic<double> share_{0.0};
};

Progress::Progress(std::ostream* stream, std::uint32_t runs, const RunLimits& end)
    : stream_(stream), end_(end), start_(std::chrono::steady_clock::now()), drawn_(start_) {
    if (stream_ == nullptr) return;
    for (std::uint32_t i = 0; i < runs; ++i) counters_.push_back(std::make_unique<Counter>(*this));
}

Progress::~Progress() {
    if (visible_) *stream_ << "\r\033[K" << std::flush;
}

Observer* Progress::of_run(std::uint32_t index) {
    return counters_.empty() ? nullptr : counters_[index].get();
}

void Progress::draw() {
    const std::unique_lock lock(drawing_, std::try_to_lock);
    const auto now = std::chrono::steady_clock::now();
    if (!lock || now - drawn_ < redraw) return;
    drawn_ = now;
    double share = 0;
    for (const auto& counter : counters_) share += counter->share();
    share /= static_cast<double>(counters_.size());
    const auto full = static_cast<std::size_t>(share * bar_width);
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const std::string left =
        share > 0.01 ? fmt::format(", {:.0f} s left", elapsed / share * (1.0 - share)) : std::string();
    *stream_ << "\r\033[K" << std::string(full, '#') << std::string(bar_width - full, '.')
             << fmt::format(" {:3.0f} %{}", share * 100.0, left) << std::flush;
    visible_ = true;
}

StatusLine::~StatusLine() {
    if (visible_) *stream_ << "\r\033[K" << std::flush;
}

void StatusLine::show(const std::string& text) {
    if (stream_ == nullptr) return;
    *stream_ << "\r\033[K" << text << std::flush;
    visible_ = true;
}

}  // namespace plimsoll
