#include <array>
#include <cmath>
#include <deque>

#include "simulator/affine_timer.hpp"
#include "simulator/random.hpp"
#include "tests/catch.hpp"
#include "tests/simulated.hpp"
#include "tests/twin.hpp"

using namespace plimsoll;
using namespace simulated;

namespace {

/// Users who hold conversations behind common system prompts, send prompts from a tree of pieces, or say nothing of
/// what they send. The twin gets every token by its number, the simulator the names of runs of tokens.
class PrefixScenario {
  public:
    PrefixScenario(const std::string& scheduler, std::uint64_t number) : random_(number, "prefix " + scheduler) {
        settings = schedulers().find(scheduler)->defaults;
        settings.max_sequences = between(1, 12);
        settings.max_step_tokens = one_of(24u, 64u, 150u, 600u);
        if (scheduler != "sglang") settings.block_tokens = one_of(1u, 4u, 16u, 7u);
        settings.kv_blocks = between(120, one_of(400u, 1500u)) / settings.block_tokens + 1;
        settings.chunk_tokens = one_of(0u, 20u, 64u);
        settings.new_token_ratio = one_of(0.1, 0.7);
        settings.least_new_token_ratio = 0.02;
        settings.new_token_ratio_decay_steps = one_of(10u, 100u);
        piece_ = between(3, 24);
        for (auto& name : systems_) name = {random_.bits(), between(0, 70)};
        const std::uint32_t count = between(2, 14);
        const double pace = timer.step({}, 4, 400).value() * one_of(1.0, 10.0, 60.0);
        for (std::uint32_t u = 0; u < count; ++u) {
            users.emplace_back();
            contents.emplace_back();
            // The first one makes the caches look on from the beginning.
            const std::uint64_t kind = u == 0 ? 0 : random_.below(10);
            add_user(kind < 6 ? Kind::session : kind < 9 ? Kind::tree : Kind::unknown, pace);
        }
        users[0][0].gap = 0;
    }
    SchedulerSettings settings;
    twin::Users users;
    std::vector<std::vector<Content>> contents;
    const AffineTimer timer{AffineTimer::Coefficients{.constant = Seconds(0.01),
                                                      .per_prompt_token = Seconds(1e-4),
                                                      .per_decode = Seconds(1e-3),
                                                      .per_context_token = Seconds(1e-5)}};

  private:
    enum class Kind { session, tree, unknown };
    std::uint32_t between(std::uint32_t least, std::uint32_t most) {
        return least + static_cast<std::uint32_t>(random_.below(most - least + 1));
    }
    template <class First, class... Rest>
    First one_of(First first, Rest... rest) {
        const std::array all{first, rest...};
        return all[random_.below(all.size())];
    }
    std::uint32_t length(std::uint32_t most) { return 1 + static_cast<std::uint32_t>(most * random_.uniform()); }

    void add_user(Kind kind, double pace) {
        const std::uint32_t requests = between(1, 9);
        std::vector<long> history;
        Content content;
        for (std::uint32_t i = 0; i < requests; ++i) {
            if (kind != Kind::session || history.empty() || history.size() > 250) {
                history.clear();
                content = {};
                if (kind == Kind::session) begin_session(history, content);
                if (kind == Kind::tree) climb(history, content);
                serial_ += kind == Kind::unknown ? 0 : 1;
            }
            const auto message =
                static_cast<std::uint32_t>(history.empty() ? length(60) : random_.below(40) + (kind == Kind::session));
            twin::Demand demand;
            demand.gap = pace * random_.exponential();
            demand.prompt = static_cast<int>(history.size()) + static_cast<int>(message);
            demand.output = static_cast<int>(length(40));
            demand.max_output = demand.output + static_cast<int>(random_.below(20));
            const auto all = static_cast<std::size_t>(demand.prompt + demand.output);
            while (history.size() < all) history.push_back(serial_ * 100'000 + static_cast<long>(history.size()));
            if (kind != Kind::unknown) demand.tokens = history;
            users.back().push_back(demand);
            contents.back().push_back(content);
        }
    }
    void begin_session(std::vector<long>& history, Content& content) {
        const std::size_t which = random_.below(systems_.size());
        const auto& [name, tokens] = systems_[which];
        for (std::uint32_t i = 0; i < tokens; ++i) history.push_back(-1'000 * static_cast<long>(which + 1) - i);
        content = {.own = random_.bits(), .path = &name, .shared = tokens, .piece = std::max(1u, tokens)};
    }
    /// Pieces of a binary tree; the last one may be left early.
    void climb(std::vector<long>& history, Content& content) {
        auto& path = paths_.emplace_back();
        long node = 1;
        const std::uint32_t depth = between(1, 7);
        for (std::uint32_t d = 0; d < depth; ++d) {
            node = 2 * node + static_cast<long>(random_.below(3) == 0);
            path.push_back(joint_name(77, static_cast<std::uint64_t>(node)));
            for (std::uint32_t i = 0; i < piece_; ++i) history.push_back(-1'000'000 - node * 1'000 - i);
        }
        if (random_.below(2) == 0) history.resize(history.size() - random_.below(piece_));
        content = {.own = random_.bits(),
                   .path = path.data(),
                   .shared = static_cast<std::uint32_t>(history.size()),
                   .piece = piece_};
    }

    RandomStream random_;
    long serial_ = 1;
    std::uint32_t piece_ = 1;
    std::array<std::pair<std::uint64_t, std::uint32_t>, 2> systems_{};
    std::deque<std::vector<std::uint64_t>> paths_;
};

class PrefixUsers final : public Source {
  public:
    explicit PrefixUsers(const PrefixScenario& scenario) : scenario_(scenario) {
        for (const auto& demands : scenario.users) due_.emplace_back(demands.front().gap), sent_.push_back(0);
    }
    [[nodiscard]] Seconds next_time() const override { return due_[first()]; }
    Arrival take() override {
        const std::size_t user = first();
        const twin::Demand& demand = scenario_.users[user][sent_[user]];
        Arrival arrival{.time = due_[user],
                        .prompt = static_cast<std::uint32_t>(demand.prompt),
                        .output = static_cast<std::uint32_t>(demand.output),
                        .max_output = static_cast<std::uint32_t>(demand.max_output),
                        .tag = user * 100 + sent_[user],
                        .content = scenario_.contents[user][sent_[user]]};
        ++sent_[user];
        due_[user] = never;
        return arrival;
    }
    void finished(const Request& request) override {
        const std::size_t user = request.tag / 100;
        if (sent_[user] == scenario_.users[user].size()) return;
        due_[user] = request.finished + Seconds(scenario_.users[user][sent_[user]].gap);
    }

  private:
    [[nodiscard]] std::size_t first() const {
        return static_cast<std::size_t>(std::min_element(due_.begin(), due_.end()) - due_.begin());
    }
    const PrefixScenario& scenario_;
    std::vector<Seconds> due_;
    std::vector<std::size_t> sent_;
};

struct Tally {
    int compared = 0, preemptions = 0, hits = 0;
    double worst = 0;
};

void compare(const std::string& scheduler, std::uint64_t number, Tally& tally) {
    const PrefixScenario scenario(scheduler, number);
    const SchedulerKind& kind = *schedulers().find(scheduler);
    if (kind.refusal && kind.refusal(scenario.settings)) return;
    const auto make = scheduler == "sglang"    ? twin::make_sglang_with_prefix_cache
                      : scheduler == "vllm-v1" ? twin::make_vllm_v1_with_prefix_cache
                                               : twin::make_vllm_v1_async_with_prefix_cache;
    const auto twin = make(scenario.settings, scenario.timer);
    const auto expected = twin->run(scenario.users);

    RequestTable requests;
    Replica replica(requests, scenario.timer, kind, scenario.settings);
    PrefixUsers source(scenario);
    Record record;
    const RunCounts counts = simulate(source, requests, replica, &record);
    CAPTURE(scheduler, number);
    CHECK(counts.iterations == static_cast<std::uint64_t>(twin->iterations));
    CHECK(replica.state().kv().used() == 0);
    for (const Stride& stride : record.strides) CHECK(stride.kv_blocks <= scenario.settings.kv_blocks);
    const auto apart = [](Seconds a, double b) { return std::abs(a.value() - b) / b; };
    for (std::size_t u = 0; u < expected.size(); ++u)
        for (std::size_t i = 0; i < expected[u].size(); ++i) {
            REQUIRE(u * 100 + i < record.requests.size());
            const Request& request = record.requests[u * 100 + i];
            CAPTURE(u, i);
            REQUIRE((request.first_token == never) == expected[u][i].refused);
            if (expected[u][i].refused) continue;
            const double worst = std::max(apart(request.first_token, expected[u][i].first_token),
                                          apart(request.finished, expected[u][i].finished));
            CHECK(worst < 1e-9);
            CHECK(static_cast<int>(request.preemptions) == expected[u][i].preemptions);
            CHECK(static_cast<int>(request.found) == expected[u][i].found);
            tally.worst = std::max(tally.worst, worst);
            tally.preemptions += expected[u][i].preemptions;
            tally.hits += expected[u][i].found > 0;
            ++tally.compared;
        }
}

}  // namespace

TEST_CASE("Prefix caches hit, evict and share as the plain ones of the stepper do") {
    for (const char* name : {"vllm-v1", "vllm-v1-async", "sglang"}) {
        Tally tally;
        for (std::uint64_t number = 0; number < 400; ++number) compare(name, number, tally);
        INFO(name << ": " << tally.compared << " requests, " << tally.hits << " with hits, " << tally.preemptions
                  << " preemptions, worst " << tally.worst);
        CHECK(tally.compared > 6000);
        CHECK(tally.hits > 2000);
        CHECK(tally.preemptions > 50);
    }
}
