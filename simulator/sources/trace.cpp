#include "simulator/trace.hpp"

#include <algorithm>

#include "simulator/lengths.hpp"

namespace plimsoll {
namespace {

class TraceSource final : public Source {
  public:
    explicit TraceSource(const LoadPlan& plan)
        : trace_(plan.trace),
          lengths_(plan),
          end_(plan.requests == 0 ? trace_->size()
                                  : std::min<std::size_t>(trace_->size(), static_cast<std::size_t>(plan.requests))),
          speed_(plan.trace_speed),
          prefix_cache_(plan.prefix_cache) {}

    [[nodiscard]] Seconds next_time() const override { return next_ < end_ ? trace_->arrival[next_] / speed_ : never; }
    Arrival take() override {
        Arrival arrival = lengths_.row(next_);
        arrival.time = next_time();
        RequestTag tag{.session = static_cast<std::uint32_t>(next_)};
        if (!trace_->shared_prefix.empty()) tag.shared_prefix = trace_->shared_prefix[next_];
        if (prefix_cache_)
            arrival.cached = tag.shared_prefix;
        else
            arrival.content = trace_->content_of(next_);
        arrival.tag = tag.packed();
        ++next_;
        return arrival;
    }

  private:
    std::shared_ptr<const Trace> trace_;
    Lengths lengths_;
    std::size_t next_ = 0, end_;
    double speed_;
    bool prefix_cache_;
};

std::optional<std::string> refusal(const LoadPlan& plan) {
    if (plan.trace == nullptr) return "it needs a trace";
    if (plan.trace->arrival.empty())
        return "the trace has lengths alone; give it to a load that has arrivals of its own";
    if (plan.users != 0 || plan.rate > PerSecond{}) return "a trace has its own arrivals: no users or rate beside it";
    if (!(plan.trace_speed > 0)) return "the speed must be above 0";
    return std::nullopt;
}

}  // namespace

void register_trace(Registry<LoadKind>& kinds) {
    kinds.add("trace", {.description = "recorded arrivals and lengths",
                        .refusal = refusal,
                        .make = [](const LoadPlan& plan) -> std::unique_ptr<Source> {
                            return std::make_unique<TraceSource>(plan);
                        }});
}

}  // namespace plimsoll
