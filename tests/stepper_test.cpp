#include "stepper.hpp"

#include "tests/catch.hpp"
#include "tests/instance.hpp"

using namespace plimsoll;

namespace {

double mean(const RunResult& result, Metric metric) {
    return result.latencies[metric][Statistic::mean].value();
}
/// Users without think time that send one request each.
RunResult run(const TestInstance& one, int users, double ramp = 0) {
    return run_instance(*one.cost, one.deployment, one.memory, one.workload, Distribution::fixed(0.0),
                        {.users = static_cast<double>(users), .requests = users, .ramp = Seconds(ramp)});
}
struct V0 : TestInstance {
    V0(const std::string& output, double kv_tokens = 1e6)
        : TestInstance("llama-7b", "a100-40gb-sxm-8", 1, "vllm-v0", "100", output) {
        engine.block_tokens = 1;
        engine.host.front_end.value = Seconds(0);  // the clients' times are those of the steps
        fold();
        memory.kv_tokens = kv_tokens;
    }
};

}  // namespace

TEST_CASE("One request alone: its prefill, then a decode step a token over a growing context") {
    const V0 one("3");
    const RunResult result = run(one, 1);
    // The first token comes with the prefill; the second reads 101 tokens (prompt and first token), the third 102.
    const double first = one.prefill(1, 100), second = one.decode(1, 101), third = one.decode(1, 102);
    CHECK(mean(result, Metric::ttft) == Approx(first));
    CHECK(mean(result, Metric::tpot) == Approx((second + third) / 2));
    CHECK(mean(result, Metric::e2e) == Approx(first + second + third));
    CHECK(result.request_rate.value() == Approx(1 / (first + second + third)));
    CHECK(result.iterations == 3);
}

TEST_CASE("Two prompts share an exclusive prefill, or follow each other where the budget takes one") {
    const V0 both("2");
    // Both prompts: F(2), then one step for both over 2 x 101 tokens.
    const RunResult together = run(both, 2);
    CHECK(mean(together, Metric::ttft) == Approx(both.prefill(2, 100)));
    CHECK(mean(together, Metric::e2e) == Approx(both.prefill(2, 100) + both.decode(2, 202)));
    // One at a time: first tokens after F(1) and 2 F(1); prefill goes first, so both decode after 2 F(1).
    V0 single("2");
    single.engine.max_prefill_tokens = 150;
    const RunResult apart = run(single, 2);
    const double f = single.prefill(1, 100);
    CHECK(mean(apart, Metric::ttft) == Approx(1.5 * f));
    CHECK(mean(apart, Metric::e2e) == Approx(2 * f + single.decode(2, 202)));
}

TEST_CASE("A chunked prompt takes its budget step by step, beside the decodes") {
    TestInstance one("llama-7b", "a100-40gb-sxm-8", 1, "vllm-v1", "100", "2");
    one.engine.max_step_tokens = 64;
    one.engine.block_tokens = 1;
    one.engine.host.front_end.value = Seconds(0);
    one.fold();
    const auto chunk = [&](double tokens, double past, double decodes, double context) {
        return one.cost
            ->step({.prefill_sequences = 1,
                    .prefill_tokens = tokens,
                    .attention_pairs = causal_pairs(tokens, past),
                    .decode_sequences = decodes,
                    .context_tokens = context})
            .value();
    };
    // 100 = 64 + 36; then a decode step over 101 tokens.
    const double filled = chunk(64, 0, 0, 0) + chunk(36, 64, 0, 0);
    CHECK(mean(run(one, 1), Metric::ttft) == Approx(filled));
    CHECK(mean(run(one, 1), Metric::e2e) == Approx(filled + one.decode(1, 101)));
    // A second user a moment later gets the 28 tokens left in the second step, 63 beside the decode in the third, the
    // last 9 alone in the fourth, and its own decode step.
    const double second_step = one.cost
                                   ->step({.prefill_sequences = 2,
                                           .prefill_tokens = 64,
                                           .attention_pairs = causal_pairs(36, 64) + causal_pairs(28, 0)})
                                   .value();
    const double late = 1e-6;
    const double to_second = chunk(64, 0, 0, 0) + second_step;
    const double to_third = to_second + chunk(63, 28, 1, 101), to_fourth = to_third + chunk(9, 91, 0, 0);
    const RunResult two = run(one, 2, 2 * late);
    CHECK(mean(two, Metric::ttft) == Approx((to_second + to_fourth - late) / 2));
    CHECK(mean(two, Metric::e2e) == Approx((to_third + to_fourth + one.decode(1, 101) - late) / 2));
}

TEST_CASE("TGI's window: too few waiting prompts wait for max_waiting_tokens decode steps") {
    TestInstance one("llama-7b", "a100-40gb-sxm-8", 1, "tgi-lightllm-2023", "100", "6");
    one.engine.max_waiting_tokens = 3;
    one.engine.reserved_output_tokens.reset();
    const double late = 1e-6;
    // floor(5 x 1) = 5 prompts would be wanted, one waits: it starts after three decode steps.
    one.engine.waiting_served_ratio = 5.0;
    one.fold();
    const double f = one.prefill(1, 100);
    const double start = f + one.decode(1, 101) + one.decode(1, 102) + one.decode(1, 103);
    CHECK(mean(run(one, 2, 2 * late), Metric::ttft) == Approx((f + start + f - late) / 2));
    // floor(1.2 x 1) = 1 is there: the router looks for it before the first decode step.
    one.engine.waiting_served_ratio = 1.2;
    CHECK(mean(run(one, 2, 2 * late), Metric::ttft) == Approx((f + f + f - late) / 2));
    // A third user that comes during the second prefill waits for the decode step that follows it, though
    // floor(0.5 x 2) = 1 is there.
    one.engine.waiting_served_ratio = 0.5;
    const double gap = 1.5 * f;
    const RunResult three = run(one, 3, 3 * gap / 2);
    // Starts at 0, 0.75 f and 1.5 f: prefills end at f, 2 f; one step for two sequences; the third prefill.
    const double third = 2 * f + one.decode(2, 202) + f;
    CHECK(mean(three, Metric::ttft) == Approx((f + 2 * f - gap / 2 + third - gap) / 3));
}

TEST_CASE("A full reservation that does not fit waits for the end of the one before") {
    TestInstance one("llama-7b", "a100-40gb-sxm-8", 1, "tgi-lightllm-2023", "100", "3");
    one.engine.reserved_output_tokens.reset();
    one.fold();
    one.memory.kv_tokens = 205;  // one request reserves 103
    const double alone = one.prefill(1, 100) + one.decode(1, 101) + one.decode(1, 102);
    CHECK(mean(run(one, 2), Metric::e2e) == Approx((alone + 2 * alone) / 2));
    one.memory.kv_tokens = 206;
    CHECK(mean(run(one, 2), Metric::e2e) == Approx(one.prefill(2, 100) + one.decode(2, 202) + one.decode(2, 204)));
    one.memory.kv_tokens = 102;
    CHECK(run(one, 2).never_fit == 2);
}

TEST_CASE("Paging without a free block sends the newest back to be computed again") {
    // 203 tokens: both prompts fit (200), their second tokens too (202), the third ones (204) not.
    const V0 two("5", 203);
    const RunResult result = run(two, 2);
    CHECK(result.preemptions == 1);
    const double shared = two.prefill(2, 100) + two.decode(2, 202);
    // The first goes on alone; the second then prefills prompt + 2 tokens, which gives its third, and decodes two more.
    const double first = shared + two.decode(1, 102) + two.decode(1, 103) + two.decode(1, 104);
    const double second = first + two.prefill(1, 102) + two.decode(1, 103) + two.decode(1, 104);
    CHECK(mean(result, Metric::ttft) == Approx(two.prefill(2, 100)));
    CHECK(mean(result, Metric::e2e) == Approx((first + second) / 2));
}

TEST_CASE("A warm-up leaves the first requests out and keeps the load on until the last is answered") {
    const V0 one("10");
    const double cycle = one.prefill(1, 100) + [&] {
        double sum = 0;
        for (int token = 1; token < 10; ++token) sum += one.decode(1, 100 + token);
        return sum;
    }();
    const RunResult result = run_instance(*one.cost, one.deployment, one.memory, one.workload, Distribution::fixed(1.0),
                                          {.users = 1, .requests = 20, .warm_up = 5});
    CHECK(result.request_rate.value() == Approx(1 / (cycle + 1)).epsilon(0.08));  // the last pause is not waited for
    CHECK(mean(result, Metric::e2e) == Approx(cycle));
}

TEST_CASE("Runs repeat by their seed, and an open run meets its rate") {
    const V0 one("geometric:mean=50");
    const auto open = [&](std::uint64_t seed) {
        return run_instance(
            *one.cost, one.deployment, one.memory, one.workload, Distribution::fixed(0.0),
            {.rate = PerSecond(2.0), .requests = 2500, .warm_up = 500, .seed = seed, .draws = Draws::independent});
    };
    CHECK(mean(open(7), Metric::e2e) == mean(open(7), Metric::e2e));
    CHECK(mean(open(7), Metric::e2e) != mean(open(8), Metric::e2e));
    // 2000 Poisson arrivals: the rate has a standard error of 2.2 %.
    CHECK(open(7).request_rate.value() == Approx(2.0).epsilon(0.09));
}
