#include <cmath>

#include "stepper.hpp"
#include "tests/catch.hpp"
#include "tests/instance.hpp"

// The forecast and the run of every iteration share nothing but the cost of a step: each judges the other.

using namespace plimsoll;

namespace {

/// Relative errors that a case may have.
struct Tolerance {
    double rate, ttft, tpot, tail;
};

void check_agreement(const Forecast& forecast, const RunResult& run, const Tolerance& tolerance) {
    const auto error = [&](Metric metric, Statistic statistic) {
        return forecast.latencies[metric][statistic] / run.latencies[metric][statistic] - 1.0;
    };
    const double rate = forecast.request_rate / run.request_rate - 1.0;
    const double ttft = error(Metric::ttft, Statistic::mean), tpot = error(Metric::tpot, Statistic::mean);
    INFO("rate " << rate << ", TTFT " << ttft << ", TPOT " << tpot << ", of " << run.iterations << " iterations");
    CHECK(std::abs(rate) <= tolerance.rate);
    CHECK(std::abs(ttft) <= tolerance.ttft);
    CHECK(std::abs(tpot) <= tolerance.tpot);
    for (const Statistic statistic : {Statistic::p50, Statistic::p90, Statistic::p95}) {
        CAPTURE(to_string(statistic));
        CHECK(std::abs(error(Metric::ttft, statistic)) <= tolerance.tail);
        CHECK(std::abs(error(Metric::tpot, statistic)) <= tolerance.tail);
        CHECK(std::abs(error(Metric::e2e, statistic)) <= tolerance.tail);
    }
}

struct Case {
    const char *model, *node;
    int tensor_parallel;
    const char *engine, *prompt, *output;
    double load;  ///< users over those that saturate (closed) or share of the saturated rate (open)
    Tolerance tolerance;
    int pipeline_parallel = 1;
};

constexpr const char *chat_prompt = "lognormal:mean=237,cv=0.6,max=1024",
                     *chat_output = "lognormal:mean=200,cv=1.5,max=512";

}  // namespace

TEST_CASE("Closed loads: forecast and run agree below saturation") {
    const Tolerance usual{0.015, 0.05, 0.03, 0.15};
    const Case cases[] = {
        {"llama-13b", "a100-40gb-sxm-8", 4, "tgi-lightllm-2023", chat_prompt, chat_output, 0.3, usual},
        // Near the batch limit: half a hundred prompts a prefill, two thirds of its budget.
        {"llama-13b",
         "a100-40gb-sxm-8",
         8,
         "tgi-lightllm-2023",
         chat_prompt,
         chat_output,
         1.0,
         {0.015, 0.08, 0.03, 0.15}},
        {"llama-7b", "a40-48gb-pcie-8", 1, "tgi-lightllm-2023", "300", "geometric:mean=150", 0.9, usual},
        {"llama-3.1-8b", "a100-80gb-sxm-8", 1, "vllm-v0", chat_prompt, chat_output, 0.6, usual},
        {"llama-13b", "a40-48gb-pcie-8", 2, "vllm-v0", "300", "geometric:mean=150", 0.9, usual},
        {"llama-7b", "v100-32gb-sxm2-8", 1, "vllm-v1", "300", "geometric:mean=150", 0.6, usual},
        {"llama-3.1-8b", "a100-80gb-sxm-8", 1, "tgi-3", chat_prompt, chat_output, 0.9, usual},
        // Prompts of more than a step's budget queue for it behind each other, longer than their mean field says.
        {"llama-3.1-70b",
         "h100-80gb-sxm-8",
         4,
         "vllm-v1",
         "lognormal:mean=2500,cv=0.8,max=8192",
         "geometric:mean=250",
         0.3,
         {0.015, 0.15, 0.03, 0.3}},
        {"llama-3.1-8b", "a100-80gb-sxm-8", 1, "vllm-v1", chat_prompt, chat_output, 0.3, usual, 2},
        {"llama-3.1-8b", "a100-80gb-sxm-8", 1, "vllm-v1", chat_prompt, chat_output, 0.6, usual, 4},
        {"llama-3.1-8b", "a100-80gb-sxm-8", 1, "vllm-v0", chat_prompt, chat_output, 0.6, usual, 2},
        // How many pieces of long prompts meet in a round is known in the mean only.
        {"llama-3.1-8b",
         "a100-80gb-sxm-8",
         1,
         "vllm-v1",
         "lognormal:mean=2500,cv=0.8,max=8192",
         "geometric:mean=250",
         0.3,
         {0.05, 0.25, 0.06, 0.3},
         2},
    };
    for (const Case& c : cases) {
        CAPTURE(c.model, c.node, c.engine, c.load);
        TestInstance one(c.model, c.node, c.tensor_parallel, c.engine, c.prompt, c.output);
        one.deployment.pipeline_parallel = c.pipeline_parallel;
        one.fold();
        const InstanceModel model = one.model();
        Forecaster forecaster(model);
        const Distribution think = Distribution::uniform(1.0, 3.0);
        const double saturating = model.rates().peak().value() * (2.0 + model.at(1).residence.value());
        const auto users = static_cast<int>(c.load * saturating);
        const RunPlan plan{.users = static_cast<double>(users),
                           .requests = 5 * users + 3000,
                           .warm_up = 5 * users,
                           .ramp = Seconds(2.0),
                           .draws = Draws::independent};
        check_agreement(forecaster.closed(static_cast<std::size_t>(users), Seconds(2.0), Detail::percentiles),
                        run_instance(*one.cost, one.deployment, one.memory, one.workload, think, plan), c.tolerance);
    }
}

TEST_CASE("The tails of wide loads follow from the lengths of prompts and answers") {
    // A long prompt is a long TTFT, a stall over few tokens a long TPOT; over a long answer stalls even out.
    for (const char* engine : {"vllm-v1", "vllm-v0", "tgi-3"}) {
        CAPTURE(engine);
        TestInstance one("llama-3.1-8b", "h100-80gb-sxm-8", 1, engine, "lognormal:mean=900,cv=1,max=8000",
                         "geometric:mean=250");
        one.fold();
        const InstanceModel model = one.model();
        Forecaster forecaster(model);
        const RunPlan plan{
            .users = 150, .requests = 20'000, .warm_up = 1'500, .ramp = Seconds(15.0), .draws = Draws::independent};
        const Forecast forecast = forecaster.closed(150, Seconds(15.0), Detail::percentiles);
        const RunResult run =
            run_instance(*one.cost, one.deployment, one.memory, one.workload, Distribution::uniform(5.0, 25.0), plan);
        const auto error = [&](Metric metric, Statistic statistic) {
            return std::abs(forecast.latencies[metric][statistic] / run.latencies[metric][statistic] - 1.0);
        };
        for (const Statistic statistic : {Statistic::p50, Statistic::p90, Statistic::p95, Statistic::p99}) {
            CAPTURE(to_string(statistic));
            CHECK(error(Metric::ttft, statistic) <= (statistic == Statistic::p99 ? 0.25 : 0.15));
            CHECK(error(Metric::tpot, statistic) <= 0.12);
            CHECK(error(Metric::e2e, statistic) <= 0.06);
        }
    }
}

TEST_CASE("Prompts that share the steps of those who decode spread TPOT as a run does") {
    for (const char* prompt : {"900", "lognormal:mean=900,cv=1"})
        for (const double think : {0.0, 20.0}) {
            CAPTURE(prompt, think);
            TestInstance one("llama-3.1-8b", "l40s-48gb-pcie-8", 1, "vllm-v1", prompt, "250");
            one.fold();
            const InstanceModel model = one.model();
            Forecaster forecaster(model);
            RunPlan plan{.requests = 40'000, .warm_up = 2'000, .draws = Draws::independent};
            if (think > 0)
                plan.users = 127, plan.ramp = Seconds(think);
            else
                plan.rate = PerSecond(4.0);
            const Forecast forecast = think > 0 ? forecaster.closed(127, Seconds(think), Detail::percentiles)
                                                : forecaster.open(plan.rate, Detail::percentiles);
            const RunResult run = run_instance(*one.cost, one.deployment, one.memory, one.workload,
                                               Distribution::parse_seconds("exponential:mean=20s", "test"), plan);
            const auto beyond_median = [](const Latencies& latencies, Statistic statistic) {
                return latencies[Metric::tpot][statistic] / latencies[Metric::tpot][Statistic::p50] - 1.0;
            };
            for (const Statistic statistic : {Statistic::p90, Statistic::p95, Statistic::p99}) {
                CAPTURE(to_string(statistic));
                CHECK(beyond_median(forecast.latencies, statistic) ==
                      Approx(beyond_median(run.latencies, statistic)).epsilon(statistic == Statistic::p99 ? 0.3 : 0.2));
            }
        }
}

TEST_CASE("Open loads: forecast and run agree below saturation") {
    // The arrivals of a run have an error of their own: 1.3 % in the rate of 6,000.
    const Tolerance usual{0.03, 0.06, 0.04, 0.15};
    const Case cases[] = {
        {"llama-65b", "a100-40gb-sxm-8", 8, "tgi-lightllm-2023", chat_prompt, chat_output, 0.6, usual},
        {"llama-13b", "v100-32gb-sxm2-8", 2, "tgi-lightllm-2023", "512", "128", 0.6, usual},
        {"llama-13b", "a40-48gb-pcie-8", 2, "vllm-v0", "300", "geometric:mean=150", 0.8, usual},
        {"llama-3.1-8b", "h100-80gb-sxm-8", 1, "vllm-v1", chat_prompt, chat_output, 0.6, usual},
        {"llama-13b", "a40-48gb-pcie-8", 4, "tgi-3", "512", "128", 0.3, usual},
    };
    for (const Case& c : cases) {
        CAPTURE(c.model, c.node, c.engine, c.load);
        TestInstance one(c.model, c.node, c.tensor_parallel, c.engine, c.prompt, c.output);
        one.fold();
        const InstanceModel model = one.model();
        Forecaster forecaster(model);
        const PerSecond rate = model.rates().saturated() * c.load;
        const RunPlan plan{.rate = rate, .requests = 7500, .warm_up = 1500, .draws = Draws::independent};
        check_agreement(
            forecaster.open(rate, Detail::percentiles),
            run_instance(*one.cost, one.deployment, one.memory, one.workload, Distribution::fixed(0.0), plan),
            c.tolerance);
    }
}

TEST_CASE("Beyond saturation forecast and run give the same rate") {
    for (const char* engine : {"tgi-lightllm-2023", "vllm-v0", "vllm-v1", "tgi-3"}) {
        CAPTURE(engine);
        TestInstance one("llama-7b", "v100-32gb-sxm2-8", 1, engine, chat_prompt, chat_output);
        one.fold();
        const InstanceModel model = one.model();
        Forecaster forecaster(model);
        const double saturating = model.rates().peak().value() * (2.0 + model.at(1).residence.value());
        const auto users = static_cast<int>(2 * std::max(saturating, model.batch_limit()));
        const RunPlan plan{.users = static_cast<double>(users),
                           .requests = 3 * users + 2000,
                           .warm_up = 3 * users,
                           .draws = Draws::independent};
        const RunResult run =
            run_instance(*one.cost, one.deployment, one.memory, one.workload, Distribution::uniform(1.0, 3.0), plan);
        const Forecast forecast = forecaster.closed(static_cast<std::size_t>(users), Seconds(2.0), Detail::means);
        CHECK(forecast.request_rate / run.request_rate == Approx(1.0).margin(0.05));
    }
}

TEST_CASE("However many prompts wait, a chunked step stalls each token once at the most") {
    // Prompts of 4000 tokens in steps of 512: 100 users want twice what the steps can take. Then every step is full, a
    // token takes as long as one, and who waits does so for the first token.
    TestInstance one("qwen2.5-7b", "l40s-48gb-pcie-8", 1, "sarathi", "4000", "200");
    one.fold();
    const InstanceModel model = one.model();
    Forecaster forecaster(model);
    const Distribution think = Distribution::parse_seconds("exponential:mean=15s", "test");
    const Forecast forecast = forecaster.closed(100, Seconds(15.0), Detail::means);
    const RunPlan plan{
        .users = 100, .requests = 6'000, .warm_up = 1'000, .ramp = Seconds(15.0), .draws = Draws::independent};
    const RunResult run = run_instance(*one.cost, one.deployment, one.memory, one.workload, think, plan);
    for (const Metric metric : {Metric::ttft, Metric::tpot, Metric::e2e}) {
        CAPTURE(to_string(metric));
        CHECK(forecast.latencies[metric][Statistic::mean] / run.latencies[metric][Statistic::mean] ==
              Approx(1.0).margin(0.05));
    }
    // 26 decodes (those that fit X of eight steps a prompt) leave room for 486 tokens of a prompt half read.
    const double full = one.cost
                            ->step({.prefill_sequences = 1,
                                    .prefill_tokens = 486,
                                    .attention_pairs = causal_pairs(486, 1757),
                                    .decode_sequences = 26,
                                    .context_tokens = 26 * 4100.0})
                            .value();
    CHECK(forecast.latencies[Metric::tpot][Statistic::mean].value() == Approx(full).epsilon(0.05));
}
