#include <algorithm>

#include "simulator/lengths.hpp"
#include "simulator/user_calendar.hpp"

namespace plimsoll {
namespace {

/// Conversations in flight are rows; a row is used again when its session is over. Sessions of an open load begin at
/// Poisson times, users of a closed one begin another a think time after the last answer.
class SessionSource final : public Source {
  public:
    explicit SessionSource(const LoadPlan& plan)
        : lengths_(plan),
          think_time_(plan.think_time),
          shape_(plan.session),
          seed_(plan.seed),
          starts_(plan.seed, "arrivals"),
          gap_(plan.rate > PerSecond{} ? 1.0 / plan.rate : never),
          calendar_(plan.users),
          left_(plan.requests == 0 ? ~std::uint64_t{0} : plan.requests),
          prefix_cache_(plan.prefix_cache),
          system_name_(joint_name(plan.seed, shape_.system_prompt)) {
        for (std::uint32_t user = 0; user < plan.users; ++user) {
            begin(user);
            calendar_.add(plan.ramp ? *plan.ramp * (static_cast<double>(user) / plan.users) : rest(user), user);
        }
        if (open()) next_start_ = gap_ * starts_.exponential();
    }

    [[nodiscard]] Seconds next_time() const override {
        return left_ > 0 ? std::min(next_start_, calendar_.next_time()) : never;
    }

    Arrival take() override {
        if (next_start_ < calendar_.next_time()) start_session();
        const Seconds time = calendar_.next_time();
        const std::uint32_t id = calendar_.take();
        Session& session = sessions_[id];
        Arrival arrival = session.next;
        arrival.time = time;
        arrival.tag = RequestTag{.session = id, .shared_prefix = session.context}.packed();
        arrival.prompt += session.context;
        if (prefix_cache_)
            arrival.cached = session.context;
        else
            arrival.content = {.own = session.name,
                               .path = &system_name_,
                               .shared = shape_.system_prompt,
                               .piece = std::max(1U, shape_.system_prompt)};
        --left_;
        return arrival;
    }

    void finished(const Request& request) override {
        const std::uint32_t id = RequestTag::of(request.tag).session;
        Session& session = sessions_[id];
        session.context = request.prompt + request.output;
        --session.turns;
        session.next = lengths_.draw(session.stream, session.stream);
        const bool refused = request.first_token == never;
        if (refused || session.turns == 0 || beyond_context(session)) {
            if (open()) {
                free_.push_back(id);
                return;
            }
            begin(id);
        }
        calendar_.add(request.finished + think(id), id);
    }

  private:
    struct Session {
        RandomStream stream;
        std::uint64_t name = 0;     ///< of its tokens
        std::uint32_t turns = 0;    ///< still to come
        std::uint32_t context = 0;  ///< tokens that the next prompt begins with
        Arrival next;               ///< its message and answer
    };

    [[nodiscard]] bool open() const { return gap_ < never; }
    [[nodiscard]] bool beyond_context(const Session& session) const {
        const std::uint64_t tokens = std::uint64_t{session.context} + session.next.prompt + session.next.output;
        return tokens > (shape_.max_context == 0 ? 0xFFFF'FFFFU : shape_.max_context);
    }
    Seconds think(std::uint32_t id) { return Seconds(think_time_.quantile(sessions_[id].stream.uniform())); }
    /// What is left of a think time that began before the run: users who think equally long do not ask in chorus.
    Seconds rest(std::uint32_t id) {
        const Seconds whole = think(id);
        return whole * sessions_[id].stream.uniform();
    }

    /// A new session in row `id`. The streams of one user's sessions are told apart by their number.
    void begin(std::uint32_t id) {
        const std::uint64_t number = open() ? begun_ : begun_ << 32 | id;
        ++begun_;
        RandomStream stream(seed_, "session", number);
        const std::uint32_t turns = Lengths::whole(shape_.turns.quantile(stream.uniform()));
        const Arrival first = lengths_.draw(stream, stream);
        const Session session{stream, joint_name(system_name_, number), turns, shape_.system_prompt, first};
        if (id == sessions_.size())
            sessions_.push_back(session);
        else
            sessions_[id] = session;
    }

    void start_session() {
        auto id = static_cast<std::uint32_t>(sessions_.size());
        if (!free_.empty()) {
            id = free_.back();
            free_.pop_back();
        }
        begin(id);
        if (free_.capacity() < sessions_.capacity()) free_.reserve(sessions_.capacity());
        calendar_.add(next_start_, id);
        next_start_ += gap_ * starts_.exponential();
    }

    Lengths lengths_;
    Distribution think_time_;
    SessionShape shape_;
    std::uint64_t seed_;
    RandomStream starts_;
    Seconds gap_, next_start_ = never;
    std::vector<Session> sessions_;
    std::vector<std::uint32_t> free_;
    UserCalendar calendar_;
    std::uint64_t left_, begun_ = 0;
    bool prefix_cache_;
    std::uint64_t system_name_;  ///< of the tokens that all sessions begin with
};

std::optional<std::string> refusal(const LoadPlan& plan) {
    return plan.users > 0 ? users_refusal(plan) : rate_refusal(plan);
}

}  // namespace

void register_sessions(Registry<LoadKind>& kinds) {
    kinds.add("sessions", {.description = "conversations: each turn sends all that went before and a new message",
                           .refusal = refusal,
                           .make = [](const LoadPlan& plan) -> std::unique_ptr<Source> {
                               return std::make_unique<SessionSource>(plan);
                           }});
}

}  // namespace plimsoll
