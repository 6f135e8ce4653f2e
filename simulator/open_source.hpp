#pragma once
#include <cstdint>
#include <utility>

#include "simulator/lengths.hpp"

namespace plimsoll {

/// A stream of requests that heeds no answer. `Arrivals` has `Seconds next()`, the times one after another.
template <class Arrivals>
class OpenSource final : public Source {
  public:
    OpenSource(const LoadPlan& plan, Arrivals arrivals)
        : lengths_(plan),
          arrivals_(std::move(arrivals)),
          prompts_(plan.seed, "prompts"),
          outputs_(plan.seed, "outputs"),
          left_(plan.requests == 0 ? ~std::uint64_t{0} : plan.requests),
          next_(arrivals_.next()) {}

    [[nodiscard]] Seconds next_time() const override { return next_; }
    Arrival take() override {
        Arrival arrival = lengths_.draw(prompts_, outputs_);
        arrival.time = next_;
        arrival.tag = RequestTag{.session = count_++}.packed();
        next_ = --left_ > 0 ? arrivals_.next() : never;
        return arrival;
    }

  private:
    Lengths lengths_;
    Arrivals arrivals_;
    RandomStream prompts_, outputs_;
    std::uint64_t left_;
    std::uint32_t count_ = 0;
    Seconds next_;
};

/// Independent times between arrivals. `Law` draws them with mean 1 from a stream.
template <class Law>
class RenewalArrivals {
  public:
    RenewalArrivals(const LoadPlan& plan, Law law)
        : law_(law), mean_(1.0 / plan.rate), stream_(plan.seed, "arrivals") {}
    Seconds next() { return time_ += mean_ * law_(stream_); }

  private:
    Law law_;
    Seconds mean_;
    RandomStream stream_;
    Seconds time_{};
};

/// The source of arrivals that are apart by `law`.
template <class Law>
[[nodiscard]] std::unique_ptr<Source> renewal_source(const LoadPlan& plan, Law law) {
    return std::make_unique<OpenSource<RenewalArrivals<Law>>>(plan, RenewalArrivals<Law>(plan, law));
}

}  // namespace plimsoll
