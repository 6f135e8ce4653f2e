#include <algorithm>

#include "simulator/affine_timer.hpp"
#include "simulator/block_cache.hpp"
#include "simulator/radix_cache.hpp"
#include "simulator/simulator.hpp"
#include "tests/allocations.hpp"
#include "tests/catch.hpp"
#include "tests/simulated.hpp"

using namespace plimsoll;

namespace {

const AffineTimer timer({.constant = Seconds(8e-3),
                         .per_prompt_token = Seconds(5e-5),
                         .per_decode = Seconds(1e-4),
                         .per_context_token = Seconds(1e-7)});

/// Prompt tokens found by each request, in the order in which they end, and all that was computed.
class Found final : public Observer {
  public:
    void finished(const Request& request) override {
        tokens.push_back(request.found);
        asked += request.prompt;
        preemptions += request.preemptions;
    }
    void stride(const Stride& stride) override {
        computed += stride.prompt_tokens;
        kv_most = std::max(kv_most, stride.kv_blocks);
    }
    [[nodiscard]] std::uint64_t sum() const {
        std::uint64_t all = 0;
        for (const std::uint32_t one : tokens) all += one;
        return all;
    }
    std::vector<std::uint32_t> tokens;
    std::uint64_t asked = 0, computed = 0, kv_most = 0, preemptions = 0;
};

SimulationSetup setup(const char* scheduler, std::uint64_t kv_tokens, const LoadPlan& load) {
    SimulationSetup result;
    result.timer = &timer;
    result.scheduler = &scheduler_named(scheduler, "test");
    result.settings = result.scheduler->defaults;
    result.settings.kv_blocks = kv_tokens / result.settings.block_tokens;
    result.load = load;
    return result;
}

/// Messages of 100 tokens and answers of 50 behind 40 tokens that all sessions begin with, three turns a session.
LoadPlan conversations(std::uint32_t users, std::uint64_t requests) {
    LoadPlan plan;
    plan.kind = "sessions";
    plan.users = users;
    plan.requests = requests;
    plan.prompt = Distribution::fixed(100);
    plan.output = Distribution::fixed(50);
    plan.think_time = Distribution::fixed(1);
    plan.session.turns = Distribution::fixed(3);
    plan.session.system_prompt = 40;
    return plan;
}

LoadPlan varied(std::uint32_t users, std::uint64_t requests) {
    LoadPlan plan = conversations(users, requests);
    plan.prompt = Distribution::parse_tokens("uniform:min=1,max=200", "test");
    plan.output = Distribution::parse_tokens("uniform:min=1,max=120", "test");
    plan.session.turns = Distribution::parse_tokens("uniform:min=1,max=9", "test");
    plan.session.max_context = 1500;
    return plan;
}

}  // namespace

TEST_CASE("A cache that forgets nothing finds what a script of conversations says") {
    // Prompts of a session: 40 + 100 = 140; 140 + 50 + 100 = 290; 290 + 50 + 100 = 440. Of the 190 and 340 tokens that
    // went before, the last answer's last token was given and never stored: 189 and 339.
    Found pages, radix;
    run_watched(setup("vllm-v1", 1'000'000, conversations(1, 6)), pages);
    // Blocks of 16: 11 x 16 of 189, 21 x 16 of 339; of the first session nothing, of the second 2 x 16 of the 40.
    CHECK(pages.tokens == std::vector<std::uint32_t>{0, 176, 336, 32, 176, 336});
    run_watched(setup("sglang", 1'000'000, conversations(1, 6)), radix);
    CHECK(radix.tokens == std::vector<std::uint32_t>{0, 189, 339, 40, 189, 339});
    Found ahead;
    run_watched(setup("vllm-v1-async", 1'000'000, conversations(1, 6)), ahead);
    CHECK(ahead.tokens == pages.tokens);
    // The report's share: 1056 of 2 x (140 + 290 + 440).
    SimulationSetup one = setup("vllm-v1", 1'000'000, conversations(1, 6));
    one.metrics.warm_up = WarmUp::none;
    CHECK(simulate(one).report.hit_rate.value == Approx(1056.0 / 1740));
    CHECK(simulate(one).report.found_tokens == 1056);
}

TEST_CASE("The prompts of a trace meet in the blocks that they share from the beginning on") {
    const Trace trace = read_trace_jsonl(
        "{\"timestamp\": 0, \"input_length\": 1200, \"output_length\": 5, \"hash_ids\": [46, 47, 48]}\n"
        "{\"timestamp\": 3000, \"input_length\": 1100, \"output_length\": 6, \"hash_ids\": [46, 47, 99]}\n"
        "{\"timestamp\": 6000, \"input_length\": 700, \"output_length\": 7, \"hash_ids\": [5, 47]}\n"
        "{\"timestamp\": 9000, \"input_length\": 1100, \"output_length\": 7, \"hash_ids\": [46, 47, 99]}\n",
        "t.jsonl");
    LoadPlan plan;
    plan.kind = "trace";
    plan.trace = std::make_shared<const Trace>(trace);
    Found pages, radix;
    // Two blocks of 512 are 64 of 16; [5, 47] begins otherwise; of 1100 tokens 68 x 16 are in full blocks.
    run_watched(setup("vllm-v1", 100'000, plan), pages);
    CHECK(pages.tokens == std::vector<std::uint32_t>{0, 1024, 0, 1088});
    // The last token is always computed.
    run_watched(setup("sglang", 100'000, plan), radix);
    CHECK(radix.tokens == std::vector<std::uint32_t>{0, 1024, 0, 1099});
}

TEST_CASE("Free blocks are used again in the order in which they became free, the last of a request first") {
    const Content own{.own = 7}, other{.own = 8};
    BlockCache cache(10, 4);
    cache.start(0);
    CHECK(cache.find(own, 100).blocks == 0);
    const std::uint32_t place = cache.hold();
    cache.take(8, 1);  // 2 were never used
    CHECK(cache.store(place, own, 16) == 0);
    CHECK(cache.find(own, 100).tokens == 16);
    CHECK(cache.find(own, 15).tokens == 12);
    CHECK(cache.find(other, 100).tokens == 0);
    // Of its five blocks four are full; three of somebody else are left in use.
    CHECK(cache.release(place, own, 18, 5, false) == 5);
    CHECK(cache.free() == 7);
    CHECK(cache.find(own, 100).idle == 4);
    cache.take(3, 1);  // the two, and its fifth
    CHECK(cache.find(own, 100).blocks == 4);
    cache.take(1, 1);  // its fourth
    CHECK(cache.find(own, 100).blocks == 3);
    const std::uint32_t again = cache.hold();
    CHECK(cache.free() == 0);
    CHECK(cache.find(own, 100).idle == 0);
    // Two requests hold the same blocks: the first to go frees none.
    CHECK(cache.find(own, 8).blocks == 2);
    const std::uint32_t second = cache.hold();
    CHECK(cache.release(again, own, 12, 3, false) == 1);
    CHECK(cache.release(second, own, 8, 2, false) == 2);
}

TEST_CASE("A preempted request of vLLM V1 computes again only what others have used since") {
    // Two prompts of 4 tokens and answers of 4 in ten blocks of a token. Both are prefilled (8 blocks) and decode once
    // (10); then the second one gives its 5 blocks away, the last first. The first one takes two of them until it ends,
    // so that of the second's 6 tokens, 4 and 2 that it had, the first 3 are found: 4 + 4 + 3 are computed, not 4 + 4
    // + 6.
    const SchedulerKind& kind = scheduler_named("vllm-v1", "test");
    SchedulerSettings settings = kind.defaults;
    settings.block_tokens = 1;
    settings.kv_blocks = 10;
    for (const bool cache : {true, false}) {
        settings.prefix_cache = cache;
        RequestTable requests;
        Replica replica(requests, timer, kind, settings);
        const Arrival both{.time = Seconds(0), .prompt = 4, .output = 4, .max_output = 4};
        simulated::Script script({both, both});
        Found found;
        simulate(script, requests, replica, &found);
        CHECK(found.preemptions == 1);
        CHECK(found.computed == (cache ? 11U : 14U));
    }
}

TEST_CASE("A radix tree evicts whole leaves, the one asked for longest ago first, and none that is locked") {
    const std::uint64_t system = 5;
    const auto said = [&](std::uint64_t who) {
        return Content{.own = who, .path = &system, .shared = 10, .piece = 10};
    };
    RadixCache cache(100);
    cache.start(0);
    const auto ask = [&](std::uint64_t who, std::uint32_t tokens) {
        const PrefixHit hit = cache.find(said(who), tokens);
        const std::uint32_t place = cache.hold();
        cache.take(tokens - hit.tokens, 1);
        return place;
    };
    const std::uint32_t a = ask(1, 30);
    CHECK(cache.store(a, said(1), 30) == 0);
    const std::uint32_t b = ask(2, 30);  // 10 are there
    CHECK(cache.free() == 50);
    CHECK(cache.store(b, said(2), 30) == 0);
    CHECK(cache.release(a, said(1), 30, 30, false) == 20);  // the other still needs the system prompt
    CHECK(cache.release(b, said(2), 30, 30, false) == 30);
    CHECK(cache.find(said(1), 100).tokens == 30);  // asked for last now
    cache.take(50, 1);                             // what was empty
    cache.take(15, 1);                             // the 20 of the second go
    CHECK(cache.find(said(2), 100).tokens == 10);
    CHECK(cache.find(said(1), 100).tokens == 30);
    CHECK(cache.free() == 35);
    // Two that compute the same at once: the second's tokens are given back when they meet in the tree.
    const Content nobody{.own = 9};
    CHECK(cache.find(nobody, 4).tokens == 0);
    const std::uint32_t c = cache.hold();
    CHECK(cache.find(nobody, 4).tokens == 0);
    const std::uint32_t d = cache.hold();
    cache.take(8, 1);  // 5 are empty: the 20 of the first go, and leave the system prompt
    CHECK(cache.find(said(1), 100).tokens == 10);
    CHECK(cache.store(c, nobody, 4) == 0);
    CHECK(cache.store(d, nobody, 4) == 4);
    CHECK(cache.free() == 31);
}

TEST_CASE("A cache can only lower what is computed, and shared blocks stay within the budget") {
    for (const char* name : {"vllm-v1", "vllm-v1-async", "sglang"}) {
        CAPTURE(name);
        for (const std::uint64_t kv : {1'000'000U, 6'000U}) {
            SimulationSetup with = setup(name, kv, varied(20, 2000));
            SimulationSetup without = with;
            without.settings.prefix_cache = false;
            Found found, nothing;
            run_watched(with, found);
            run_watched(without, nothing);
            CHECK(found.kv_most <= with.settings.kv_blocks);
            CHECK(found.sum() > 0);
            CHECK(nothing.sum() == 0);
            if (found.preemptions == 0) CHECK(found.computed == found.asked - found.sum());
            CHECK(static_cast<double>(found.computed) / static_cast<double>(found.asked) <
                  static_cast<double>(nothing.computed) / static_cast<double>(nothing.asked));
        }
    }
}

TEST_CASE("A router that keeps sessions where they were finds more and answers sooner than one that deals them out") {
    LoadPlan load;
    load.kind = "sessions";
    load.rate = PerSecond(4.0);
    load.requests = 6000;
    load.prompt = Distribution::fixed(200);
    load.output = Distribution::fixed(100);
    load.think_time = Distribution::fixed(5);
    load.session.turns = Distribution::fixed(6);
    load.session.system_prompt = 300;
    SimulationSetup four = setup("vllm-v1", 96'000, load);
    four.replicas = 4;
    const auto report = [&](const char* router) {
        four.router = router;
        return simulate(four).report;
    };
    const Report dealt = report("round-robin"), kept = report("session-affinity"), bounded = report("prefix-affinity");
    for (const Report* one : {&kept, &bounded}) {
        CHECK(one->hit_rate.low() > dealt.hit_rate.high());
        CHECK((*one)[Measure::ttft].mean.high() < dealt[Measure::ttft].mean.low());
    }
    // Everything but the new message, the answer's last token and what does not fill a block of 16: of the six prompts
    // 500, 800, ... 2000 (7500 tokens) at most 6 x 200 + 5 are new, at least those.
    CHECK(kept.hit_rate.value > 0.75);
    CHECK(kept.hit_rate.value < 1.0 - 1200.0 / 7500.0);
}

TEST_CASE("Prefix caches work without an allocation once they have seen their widest") {
    for (const char* name : {"vllm-v1", "vllm-v1-async", "sglang"}) {
        CAPTURE(name);
        const SimulationSetup one = setup(name, 8'000, varied(30, 0));
        const auto source = make_source(one.load, "test");
        RequestTable requests;
        Replica replica(requests, timer, *one.scheduler, one.settings);
        simulate(*source, requests, replica, nullptr, {.requests = 5000});
        const std::uint64_t before = allocations();
        const RunCounts counts = simulate(*source, requests, replica, nullptr, {.requests = 10'000});
        CHECK(allocations() == before);
        CHECK(counts.requests == 10'000);
    }
}
