#include <cmath>
#include <memory>

#include "simulator/affine_timer.hpp"
#include "simulator/folded_timer.hpp"
#include "simulator/random.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"
#include "tests/simulated.hpp"
#include "tests/twin.hpp"

using namespace plimsoll;
using namespace simulated;

namespace {

/// The larger of a constant and an affine time: the slope changes where the two meet.
class KneeTimer final : public StepTimer {
  public:
    KneeTimer(double launch, double base, double per_token, double per_context)
        : launch_(launch), base_(base), per_token_(per_token), per_context_(per_context) {}
    [[nodiscard]] Seconds step(std::span<const PromptChunk> chunks, std::uint32_t decodes,
                               std::uint64_t context) const override {
        double tokens = decodes, pairs = 0;
        for (const auto& chunk : chunks) tokens += chunk.tokens, pairs += causal_pairs(chunk.tokens, chunk.context);
        const double read = static_cast<double>(context);
        return Seconds(std::max(launch_, base_ + per_token_ * tokens + per_context_ * (read + 0.01 * pairs)));
    }
    [[nodiscard]] DecodePiece decode(std::uint32_t decodes, std::uint64_t context) const override {
        const Seconds now = step({}, decodes, context);
        const double knee = (launch_ - base_ - per_token_ * decodes) / per_context_;
        const double left = (knee - static_cast<double>(context)) / decodes;
        if (left > 0) return {.first = now, .steps = 1 + static_cast<std::uint64_t>(left)};
        return {.first = now, .growth = Seconds(per_context_ * decodes)};
    }

  private:
    double launch_, base_, per_token_, per_context_;
};

/// Constant as long as the mean context stays on a stair of 16 tokens, as tables of measured times are.
class StairTimer final : public StepTimer {
  public:
    [[nodiscard]] Seconds step(std::span<const PromptChunk> chunks, std::uint32_t decodes,
                               std::uint64_t context) const override {
        double tokens = decodes;
        for (const auto& chunk : chunks) tokens += chunk.tokens;
        const auto stair = decodes == 0 ? 0.0 : static_cast<double>((context / decodes + 15) / 16);
        return Seconds(0.01 + 1e-4 * tokens + 3e-4 * stair * decodes);
    }
    [[nodiscard]] DecodePiece decode(std::uint32_t decodes, std::uint64_t context) const override {
        const std::uint64_t mean = context / decodes;
        return {.first = step({}, decodes, context), .steps = (mean + 15) / 16 * 16 - mean + 1};
    }
};

/// A whole deployment's cost: a small model on a fast GPU, where the host's launches show at small batches.
const FoldedTimer& folded_timer() {
    static const Deployment deployment = testing::deployment("llama-3.2-1b", "h100-80gb-sxm-8", 1, 1, "vllm-v0");
    static const Architecture architecture(*deployment.model);
    static const StepCost cost(architecture, deployment);
    static const FoldedTimer timer(cost, 64);
    return timer;
}

class Scenario {
  public:
    Scenario(const std::string& scheduler, std::uint64_t number) : random_(number, scheduler) {
        draw_settings(scheduler);
        draw_timer();
        draw_users();
    }
    SchedulerSettings settings;
    twin::Users users;
    [[nodiscard]] const StepTimer& timer() const {
        if (owned_) return *owned_;
        return folded_timer();
    }

  private:
    std::uint32_t between(std::uint32_t least, std::uint32_t most) {
        return least + static_cast<std::uint32_t>(random_.below(most - least + 1));
    }
    template <class... Options>
    auto one_of(Options... options) {
        const std::array all{options...};
        return all[random_.below(all.size())];
    }

    void draw_settings(const std::string& scheduler) {
        settings = schedulers().find(scheduler)->defaults;
        settings.max_sequences = between(1, 14);
        settings.max_step_tokens = one_of(24u, 64u, 150u, 600u);
        settings.batches = one_of(1u, 1u, 2u, 4u);
        if (scheduler != "lightllm" && scheduler != "sglang") settings.block_tokens = one_of(1u, 4u, 16u, 7u);
        settings.kv_blocks = between(100, 900) / settings.block_tokens + 1;
        settings.watermark = one_of(0.0, 0.01, 0.1);
        settings.padded_prefill = random_.below(2) == 0;
        settings.waiting_served_ratio = one_of(0.0, 0.3, 1.2);
        settings.max_waiting_tokens = one_of(0u, 1u, 7u, 20u);
        settings.chunk_tokens = one_of(0u, 20u, 64u);
        settings.preemption = one_of(PreemptionMode::recompute, PreemptionMode::swap);
        settings.swap_blocks = between(0, 60);
        settings.swap_per_block = Seconds(one_of(0.0, 1e-3));
        settings.new_token_ratio = one_of(0.1, 0.7);
        settings.least_new_token_ratio = 0.02;
        settings.new_token_ratio_decay_steps = one_of(10u, 100u);
        settings.ubatch_tokens = one_of(0u, 14u, 40u);
        if (scheduler == "vllm-v1") settings.prefix_cache = random_.below(2) == 0;
        if (settings.ubatch_tokens != 0)
            settings.max_sequences = std::min(settings.max_sequences, settings.ubatch_tokens);
    }

    void draw_timer() {
        switch (between(0, 3)) {
            case 0:
                owned_ = std::make_unique<AffineTimer>(
                    AffineTimer::Coefficients{.constant = Seconds(0.01),
                                              .per_prompt_token = Seconds(1e-4),
                                              .per_decode = Seconds(1e-3),
                                              .per_context_token = Seconds(one_of(0.0, 1e-5))});
                break;
            case 1:
                owned_ = std::make_unique<KneeTimer>(0.02, 0.005, 1e-3, one_of(1e-5, 3e-5));
                break;
            case 2:
                owned_ = std::make_unique<StairTimer>();
                break;
            default:
                break;
        }
    }

    /// An open loop (one request a user) or a closed one; the times of a step set the scale.
    void draw_users() {
        const bool open = random_.below(2) == 0;
        const std::uint32_t count = open ? between(5, 60) : between(1, 20);
        const double step = timer().step({}, 4, 400).value();
        const double pace = step * one_of(1.0, 10.0, 60.0), largest = one_of(10.0, 60.0, 200.0);
        double start = 0;
        const bool caches = random_.below(3) == 0;
        for (std::uint32_t u = 0; u < count; ++u) {
            std::vector<twin::Demand> demands(open ? 1 : between(1, 8));
            for (auto& demand : demands) {
                demand.gap = pace * random_.exponential();
                demand.prompt = 1 + static_cast<int>(largest * random_.uniform());
                demand.output = 1 + static_cast<int>(largest * random_.uniform() * random_.uniform());
                if (caches)
                    demand.cached = static_cast<int>(random_.below(static_cast<std::uint64_t>(demand.prompt) + 1));
                demand.max_output = demand.output + static_cast<int>(random_.below(20));
            }
            if (open) demands[0].gap = start += demands[0].gap;
            users.push_back(std::move(demands));
        }
    }

    RandomStream random_;
    std::unique_ptr<StepTimer> owned_;
};

/// The users of a scenario as the simulator's source; the tag is user x 100 + request.
class UserSource final : public Source {
  public:
    explicit UserSource(const twin::Users& users) : users_(users) {
        for (const auto& demands : users) due_.emplace_back(demands.front().gap), sent_.push_back(0);
    }
    [[nodiscard]] Seconds next_time() const override { return due_[first()]; }
    Arrival take() override {
        const std::size_t user = first();
        const twin::Demand& demand = users_[user][sent_[user]];
        Arrival arrival{.time = due_[user],
                        .prompt = static_cast<std::uint32_t>(demand.prompt),
                        .output = static_cast<std::uint32_t>(demand.output),
                        .max_output = static_cast<std::uint32_t>(demand.max_output),
                        .cached = static_cast<std::uint32_t>(demand.cached),
                        .tag = user * 100 + sent_[user]};
        ++sent_[user];
        due_[user] = never;
        return arrival;
    }
    void finished(const Request& request) override {
        const std::size_t user = request.tag / 100;
        if (sent_[user] == users_[user].size()) return;
        due_[user] = request.finished + Seconds(users_[user][sent_[user]].gap);
    }

  private:
    [[nodiscard]] std::size_t first() const {
        return static_cast<std::size_t>(std::min_element(due_.begin(), due_.end()) - due_.begin());
    }
    const twin::Users& users_;
    std::vector<Seconds> due_;
    std::vector<std::size_t> sent_;
};

struct Tally {
    int compared = 0, refused = 0, preemptions = 0;
    double worst = 0;
};

void compare(const std::string& scheduler, std::uint64_t number, Tally& tally) {
    const Scenario scenario(scheduler, number);
    const SchedulerKind& kind = *schedulers().find(scheduler);
    if (kind.refusal && kind.refusal(scenario.settings)) return;
    const auto twin = twin::make(scheduler, scenario.settings, scenario.timer());
    INFO("a scheduler needs a rule of its own in the twin: " << scheduler);
    REQUIRE(twin);
    const auto expected = twin->run(scenario.users);

    RequestTable requests;
    Replica replica(requests, scenario.timer(), kind, scenario.settings);
    UserSource source(scenario.users);
    Record record;
    const RunCounts counts = simulate(source, requests, replica, &record);
    CAPTURE(scheduler, number);
    CHECK(replica.state().kv().used() == 0);
    CHECK(requests.present() == 0);
    CHECK(counts.iterations == static_cast<std::uint64_t>(twin->iterations));
    const auto apart = [](Seconds a, double b) { return std::abs(a.value() - b) / b; };
    double worst = 0;
    for (std::size_t u = 0; u < expected.size(); ++u)
        for (std::size_t i = 0; i < expected[u].size(); ++i) {
            REQUIRE(u * 100 + i < record.requests.size());
            const Request& request = record.requests[u * 100 + i];
            REQUIRE((request.first_token == never) == expected[u][i].refused);
            tally.refused += expected[u][i].refused;
            if (expected[u][i].refused) continue;
            worst = std::max({worst, apart(request.first_token, expected[u][i].first_token),
                              apart(request.finished, expected[u][i].finished)});
            CHECK(static_cast<int>(request.preemptions) == expected[u][i].preemptions);
            tally.preemptions += expected[u][i].preemptions;
            ++tally.compared;
        }
    CHECK(worst < 1e-9);
    tally.worst = std::max(tally.worst, worst);
}

}  // namespace

TEST_CASE("Every scheduler skips to the same times as a stepper that knows nothing of skipping") {
    for (const auto& [name, kind] : schedulers()) {
        Tally tally;
        for (std::uint64_t number = 0; number < 400; ++number) compare(name, number, tally);
        INFO(name << ": " << tally.compared << " requests, " << tally.refused << " refused, " << tally.preemptions
                  << " preemptions, worst " << tally.worst);
        CHECK(tally.compared > 4000);
        CHECK((tally.preemptions > 100) == (kind.holding == KvHolding::paged && name != "lightllm"));
    }
}
