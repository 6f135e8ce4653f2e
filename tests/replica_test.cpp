#include "simulator/replica.hpp"

#include "simulator/affine_timer.hpp"
#include "tests/catch.hpp"
#include "tests/simulated.hpp"

using namespace plimsoll;
using namespace simulated;

namespace {

Arrival request(double time, std::uint32_t prompt, std::uint32_t output) {
    return {.time = Seconds(time), .prompt = prompt, .output = output};
}

struct Seen {
    std::vector<Request> requests;
    std::vector<Stride> strides;
};

/// A step takes 1 s + 10 ms a prompt token; a decode's context costs nothing unless said.
Seen run(const char* scheduler, SchedulerSettings settings, std::vector<Arrival> arrivals, double per_context = 0) {
    const AffineTimer timer(
        {.constant = Seconds(1), .per_prompt_token = Seconds(0.01), .per_context_token = Seconds(per_context)});
    RequestTable requests;
    Replica replica(requests, timer, *schedulers().find(scheduler), settings);
    Script source(std::move(arrivals));
    Record record;
    simulate(source, requests, replica, &record);
    return {record.requests, record.strides};
}

SchedulerSettings room(std::uint64_t blocks = 1000) {
    SchedulerSettings settings;
    settings.kv_blocks = blocks;
    settings.block_tokens = 16;
    return settings;
}

}  // namespace

TEST_CASE("Step timer: the time of k decode steps and the steps until a time") {
    const DecodePiece piece{.first = Seconds(2), .growth = Seconds(1)};  // 2, 3, 4, 5: ends at 2, 5, 9, 14
    CHECK(piece.total(1) == Seconds(2));
    CHECK(piece.total(4) == Seconds(14));
    const auto until = [&](double time) { return piece.steps_until(Seconds(100), Seconds(time), 1000); };
    CHECK(until(100) == 1);  // a step once begun is finished
    CHECK(until(101.9) == 1);
    CHECK(until(102) == 1);  // an arrival at the very end joins the next step
    CHECK(until(102.1) == 2);
    CHECK(until(105) == 2);
    CHECK(until(109) == 3);
    CHECK(until(113.999) == 4);
    CHECK(piece.steps_until(Seconds(100), Seconds(1e9), 7) == 7);
}

TEST_CASE("vllm-v0: a new prompt stops the decodes, and joins at the end of a step") {
    // A: prefill of 100 tokens 0-2 s (first token at 2), decodes end at 3, 4, ... B comes at 3.5, waits for the step
    // to 4, is prefilled alone in 4-6.5 (150 tokens); then both decode: B (2 tokens) ends at 7.5, A (6 tokens: first
    // at 2, then 3, 4, 7.5, 8.5, 9.5) at 9.5.
    const Seen record = run("vllm-v0", room(), {request(0, 100, 6), request(3.5, 150, 2)});
    CHECK(record.requests[0].first_token == Seconds(2));
    CHECK(record.requests[0].finished == Seconds(9.5));
    CHECK(record.requests[1].scheduled == Seconds(4));
    CHECK(record.requests[1].first_token == Seconds(6.5));
    CHECK(record.requests[1].finished == Seconds(7.5));
}

TEST_CASE("vllm-v1: a new prompt shares the steps of the decodes, cut to the budget") {
    // Budget 101. A: 100 tokens 0-2 s. Decodes end at 3, 4. B (150 tokens) comes at 3.5: chunk of 100 beside A's decode
    // in 4-6, of 50 in 6-7.5 (first token); together 7.5-8.5.
    SchedulerSettings settings = room();
    settings.max_sequences = 2;
    settings.max_step_tokens = 101;
    const Seen record = run("vllm-v1", settings, {request(0, 100, 6), request(3.5, 150, 2)});
    CHECK(record.requests[0].finished == Seconds(8.5));  // 2, 3, 4, 6, 7.5, 8.5
    CHECK(record.requests[1].first_token == Seconds(7.5));
    CHECK(record.requests[1].finished == Seconds(8.5));
}

TEST_CASE("vllm-v0: the newest request is computed again when blocks run out") {
    // 4 blocks of 16. A (16 tokens) and B (16 tokens) prefill together in 0-1.32 s, one block each; each takes a second
    // block in the first decode step (17th token). After 16 decode steps both have 32 tokens stored; the 17th step
    // (from 17.32 s) needs two more blocks: B, the newer, goes with 17 tokens given. A has 20 to give: 18 at 18.32,
    // 20 at 20.32, its end. B's prompt and 17 tokens need 3 blocks and A holds 3 of 4: it waits for A's end. Prefill of
    // 33 tokens: 1.33 s to 21.65, which gives the 18th token; its 19th and 20th at 22.65 and 23.65.
    SchedulerSettings settings = room(4);
    const Seen record = run("vllm-v0", settings, {request(0, 16, 20), request(0, 16, 20)});
    CHECK(record.requests[0].finished.value() == Approx(20.32).epsilon(1e-12));
    CHECK(record.requests[0].preemptions == 0);
    CHECK(record.requests[1].first_token.value() == Approx(1.32).epsilon(1e-12));
    CHECK(record.requests[1].finished.value() == Approx(23.65).epsilon(1e-12));
    CHECK(record.requests[1].preemptions == 1);
}

TEST_CASE("vllm-v0: or its blocks move to the host and back") {
    // As before; B's 2 blocks move out in the step from 17.32 s (0.5 s a block: it lasts to 19.32) and back in the step
    // after A's end at 21.32 (2 blocks and one to spare): 17 tokens so far, the 18th at 23.32, the 20th at 25.32.
    SchedulerSettings settings = room(4);
    settings.preemption = PreemptionMode::swap;
    settings.swap_blocks = 2;
    settings.swap_per_block = Seconds(0.5);
    const Seen record = run("vllm-v0", settings, {request(0, 16, 20), request(0, 16, 20)});
    CHECK(record.requests[0].finished.value() == Approx(21.32).epsilon(1e-12));
    CHECK(record.requests[1].finished.value() == Approx(25.32).epsilon(1e-12));
}

TEST_CASE("static batching: everyone waits for the longest") {
    // A (10 tokens, 2 out) starts alone: 0-1.1, 1.1-2.1. B (10, 3 out) and C (30, 1 out) came meanwhile: padded to 30
    // tokens each they prefill in 2.1-3.7 and give 3 tokens: end at 5.7 for both.
    const Seen record = run("static-batching", room(), {request(0, 10, 2), request(0.5, 10, 3), request(0.6, 30, 1)});
    CHECK(record.requests[0].finished.value() == Approx(2.1).epsilon(1e-12));
    CHECK(record.requests[1].first_token.value() == Approx(3.7).epsilon(1e-12));
    CHECK(record.requests[1].finished.value() == Approx(5.7).epsilon(1e-12));
    CHECK(record.requests[2].finished.value() == Approx(5.7).epsilon(1e-12));
}

TEST_CASE("tgi: a few wait for their share of the batch, or for max_waiting_tokens steps") {
    SchedulerSettings settings = room();
    settings.waiting_served_ratio = 1.0;
    settings.max_waiting_tokens = 5;
    // A and B (50 tokens each) prefill in 0-2. C comes at 2.5: one is less than 1.0 x 2. The router counts 1 after the
    // prefill and one more a step, and takes C when it shows 5: after 4 decode steps, at 6. Prefill 6-7.5.
    const Seen alone = run("tgi", settings, {request(0, 50, 20), request(0, 50, 20), request(2.5, 50, 2)});
    CHECK(alone.requests[2].first_token.value() == Approx(7.5).epsilon(1e-12));
    // With D at 3.5 two wait: both start at 4.
    const Seen pair =
        run("tgi", settings, {request(0, 50, 20), request(0, 50, 20), request(2.5, 50, 2), request(3.5, 50, 2)});
    CHECK(pair.requests[2].first_token.value() == Approx(6.0).epsilon(1e-12));
}

TEST_CASE("lightllm: admission looks at the peak of what is promised") {
    // A may give 20 tokens, B too. After A's prefill at t: A holds 10 + 1 + 1, may give 18 + 6 more. With B at the same
    // time (11 held, 25 to come): sorted B, A; B alone 25 + 11 = 36, both 24 x 2 + 23 = 71. The pool must exceed that.
    SchedulerSettings settings = room();
    settings.block_tokens = 1;
    const auto second_starts = [&](std::uint64_t pool) {
        settings.kv_blocks = pool;
        return run("lightllm", settings, {request(0, 10, 20), request(0.5, 10, 20)}).requests[1].scheduled.value();
    };
    CHECK(second_starts(72) == Approx(1.1).epsilon(1e-12));  // after A's prefill
    // One token less: after a decode step A holds 13 and has 23 to come, 23 x 2 + 24 = 70: it fits a step later.
    CHECK(second_starts(71) == Approx(2.1).epsilon(1e-12));
}

TEST_CASE("llama-cpp: a long prompt is run in pieces that all wait for") {
    // A (10 tokens) 0-1.1, then decodes. B (100 tokens) at 1.5 joins the step from 2.1: 1 + 64 of its tokens fit
    // n_batch 65; in pieces of 33: (A, 32 of B) and 32 of B: 1.32 + 1.32 s to 4.74; then (A, 32 of B) and 4: to 7.10.
    SchedulerSettings settings = room();
    settings.max_sequences = 4;
    settings.max_step_tokens = 65;
    settings.ubatch_tokens = 33;
    const Seen record = run("llama-cpp", settings, {request(0, 10, 9), request(1.5, 100, 1)});
    CHECK(record.requests[1].finished.value() == Approx(7.10).epsilon(1e-12));
}

TEST_CASE("A jump ends where it would have ended step by step when the context costs time") {
    // 1 s + 1 ms a context token: prefill of 100 to 2 s; decodes read 101, 102, 103: 2 + 3 x 1 + 0.306 = 5.306.
    const Seen record = run("vllm-v0", room(), {request(0, 100, 4)}, 1e-3);
    CHECK(record.requests[0].finished.value() == Approx(5.306).epsilon(1e-12));
    CHECK(record.strides.size() == 2);
    CHECK(record.strides[1].steps == 3);
}

TEST_CASE("A client that gives up is gone at the end of the step, from the queue as from the batch") {
    // Steps of 1 s, one place. A decodes in 1-2, 2-3, ...; B waits. A gives up at 2.5: it leaves at 3, when B starts,
    // and B at 3.5 in its prefill: it leaves at 4. C gives up while it waits.
    const AffineTimer timer({.constant = Seconds(1)});
    SchedulerSettings settings = room();
    settings.max_sequences = 1;
    RequestTable requests;
    Replica replica(requests, timer, *schedulers().find("vllm-v0"), settings);
    for (std::uint32_t id = 0; id < 3; ++id) {
        requests.add();
        requests[id].prompt = requests[id].output = requests[id].max_output = 50;
        REQUIRE(replica.submit(id, Seconds(0)));
    }
    const auto until = [&](double time) {
        std::vector<std::pair<double, std::uint32_t>> gone;
        while (replica.next_event() < Seconds(time)) {
            const double now = replica.next_event().value();
            for (const std::uint32_t id : replica.advance()) gone.emplace_back(now, id);
        }
        return gone;
    };
    using Gone = std::vector<std::pair<double, std::uint32_t>>;
    CHECK(until(2.5).empty());
    replica.cancel(0, Seconds(2.5));
    replica.cancel(2, Seconds(2.5));
    CHECK(until(3.5) == Gone{{3.0, 0}, {3.0, 2}});
    replica.cancel(1, Seconds(3.5));
    CHECK(until(100) == Gone{{4.0, 1}});
    CHECK(requests[0].finished == never);
    CHECK(replica.state().kv().used() == 0);
    CHECK(replica.next_event() == never);
}

TEST_CASE("What could never run is refused on arrival, and the rest goes on") {
    const Seen record = run("vllm-v0", room(4), {request(0, 60, 6), request(0, 10, 2)});
    CHECK(record.requests[0].first_token == never);  // 65 tokens stored at its end, 64 in the pool
    CHECK(record.requests[0].outcome == Request::Outcome::refused);
    CHECK(record.requests[0].finished == record.requests[0].arrival);
    CHECK(record.requests[1].first_token < never);
}
