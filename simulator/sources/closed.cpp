#include "simulator/lengths.hpp"
#include "simulator/user_calendar.hpp"

namespace plimsoll {
namespace {

/// Each user draws from a stream of its own, so its n-th request is the same whatever the servers do: runs that are
/// compared see common random numbers.
class ClosedSource final : public Source {
  public:
    explicit ClosedSource(const LoadPlan& plan)
        : lengths_(plan),
          think_time_(plan.think_time),
          calendar_(plan.users),
          left_(plan.requests == 0 ? ~std::uint64_t{0} : plan.requests) {
        streams_.reserve(plan.users);
        for (std::uint32_t user = 0; user < plan.users; ++user) {
            streams_.emplace_back(plan.seed, "user", user);
            calendar_.add(plan.ramp ? *plan.ramp * (static_cast<double>(user) / plan.users) : rest(user), user);
        }
    }

    [[nodiscard]] Seconds next_time() const override { return left_ > 0 ? calendar_.next_time() : never; }
    Arrival take() override {
        const Seconds time = calendar_.next_time();
        const std::uint32_t user = calendar_.take();
        Arrival arrival = lengths_.draw(streams_[user], streams_[user]);
        arrival.time = time;
        arrival.tag = RequestTag{.session = user}.packed();
        --left_;
        return arrival;
    }
    void finished(const Request& request) override {
        const std::uint32_t user = RequestTag::of(request.tag).session;
        calendar_.add(request.finished + think(user), user);
    }

  private:
    Seconds think(std::uint32_t user) { return Seconds(think_time_.quantile(streams_[user].uniform())); }
    /// What is left of a think time that began before the run: users who think equally long do not ask in chorus.
    Seconds rest(std::uint32_t user) {
        const Seconds whole = think(user);
        return whole * streams_[user].uniform();
    }

    Lengths lengths_;
    Distribution think_time_;
    std::vector<RandomStream> streams_;
    UserCalendar calendar_;
    std::uint64_t left_;
};

}  // namespace

void register_closed(Registry<LoadKind>& kinds) {
    kinds.add("closed", {.description = "users that each think, send a request and wait for its answer",
                         .refusal = users_refusal,
                         .make = [](const LoadPlan& plan) -> std::unique_ptr<Source> {
                             return std::make_unique<ClosedSource>(plan);
                         }});
}

}  // namespace plimsoll
