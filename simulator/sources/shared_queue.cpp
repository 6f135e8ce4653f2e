#include <algorithm>

#include "simulator/lengths.hpp"
#include "simulator/user_calendar.hpp"

namespace plimsoll {
namespace {

/// The points (i + 1/2) / count of the unit interval in random order (Fisher, Yates).
std::vector<double> shuffled_strata(std::size_t count, RandomStream& stream) {
    std::vector<double> points(count);
    for (std::size_t i = 0; i < count; ++i) points[i] = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    for (std::size_t i = count; i > 1; --i) std::swap(points[i - 1], points[stream.below(i)]);
    return points;
}

/// A benchmark client: the queue is filled before the run, so the n-th request is the same for whoever takes it.
class SharedQueueSource final : public Source {
  public:
    explicit SharedQueueSource(const LoadPlan& plan) : think_time_(plan.think_time), calendar_(plan.users) {
        fill(plan);
        streams_.reserve(plan.users);
        const Seconds ramp = plan.ramp.value_or(Seconds{});
        for (std::uint32_t user = 0; user < plan.users; ++user) {
            streams_.emplace_back(plan.seed, "user", user);
            calendar_.add(ramp * (static_cast<double>(user) / plan.users), user);
        }
    }

    [[nodiscard]] Seconds next_time() const override { return next_ < queue_.size() ? calendar_.next_time() : never; }
    Arrival take() override {
        Arrival arrival = queue_[next_++];
        arrival.time = calendar_.next_time();
        arrival.tag = RequestTag{.session = calendar_.take()}.packed();
        return arrival;
    }
    void finished(const Request& request) override {
        const std::uint32_t user = RequestTag::of(request.tag).session;
        calendar_.add(request.finished + Seconds(think_time_.quantile(streams_[user].uniform())), user);
    }

  private:
    void fill(const LoadPlan& plan) {
        const Lengths lengths(plan);
        RandomStream prompts(plan.seed, "prompts"), outputs(plan.seed, "outputs");
        const auto count = static_cast<std::size_t>(plan.requests);
        queue_.reserve(count);
        if (plan.stratified) {
            const std::vector<double> u = shuffled_strata(count, prompts), v = shuffled_strata(count, outputs);
            for (std::size_t i = 0; i < count; ++i) queue_.push_back(lengths.at(u[i], v[i]));
        } else {
            for (std::size_t i = 0; i < count; ++i) queue_.push_back(lengths.draw(prompts, outputs));
        }
    }

    Distribution think_time_;
    std::vector<Arrival> queue_;
    std::vector<RandomStream> streams_;
    UserCalendar calendar_;
    std::size_t next_ = 0;
};

std::optional<std::string> refusal(const LoadPlan& plan) {
    if (auto why = users_refusal(plan)) return why;
    if (plan.requests == 0) return "it needs the number of requests in the queue";
    if (plan.requests > 1'000'000'000) return "a queue of more than 1e9 requests does not fit";
    if (plan.stratified && plan.trace != nullptr) return "strata are of a law, not of a trace";
    return std::nullopt;
}

}  // namespace

void register_shared_queue(Registry<LoadKind>& kinds) {
    kinds.add("shared-queue",
              {.description = "users that drain one queue of requests, each thinking between two of its own",
               .refusal = refusal,
               .make = [](const LoadPlan& plan) -> std::unique_ptr<Source> {
                   return std::make_unique<SharedQueueSource>(plan);
               }});
}

}  // namespace plimsoll
