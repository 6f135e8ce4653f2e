#pragma once
/// What tests of the simulator share: a scripted load and a record of what became of it.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "simulator/simulation.hpp"

namespace simulated {

using namespace plimsoll;

/// Requests in order of their times; the tag is the index.
class Script final : public Source {
  public:
    explicit Script(std::vector<Arrival> arrivals) : arrivals_(std::move(arrivals)) {
        for (std::size_t i = 0; i < arrivals_.size(); ++i) arrivals_[i].tag = i;
    }
    [[nodiscard]] Seconds next_time() const override {
        return next_ < arrivals_.size() ? arrivals_[next_].time : never;
    }
    Arrival take() override { return arrivals_[next_++]; }

  private:
    std::vector<Arrival> arrivals_;
    std::size_t next_ = 0;
};

/// What became of each request, by its tag.
class Record final : public Observer {
  public:
    void finished(const Request& request) override { of(request) = request; }
    void unanswered(const Request& request) override { of(request) = request; }
    void stride(const Stride& stride) override { strides.push_back(stride); }

    std::vector<Request> requests;
    std::vector<Stride> strides;

  private:
    Request& of(const Request& request) {
        if (requests.size() <= request.tag) requests.resize(request.tag + 1);
        return requests[request.tag];
    }
};

/// The folder of measurements that is not part of the repository, or "" when it is not there.
inline std::string shared_folder() {
    if (const char* named = std::getenv("PLIMSOLL_SHARED")) return named;
    const auto beside = std::filesystem::path(PLIMSOLL_SOURCE_DIR) / "../shared";
    return std::filesystem::is_directory(beside) ? beside.string() : "";
}

}  // namespace simulated
