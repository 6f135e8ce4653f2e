#include "model/capacity/forecaster.hpp"

#include <algorithm>
#include <cmath>

#include "model/capacity/bounds.hpp"
#include "tests/catch.hpp"
#include "tests/instance.hpp"

using namespace plimsoll;

namespace {

constexpr std::array engines{"tgi-lightllm-2023", "vllm-v0", "vllm-v1", "tgi-3"};

struct Chat : TestInstance {
    explicit Chat(const std::string& engine_name)
        : TestInstance("llama-7b", "a40-48gb-pcie-8", 1, engine_name, "lognormal:mean=300,cv=0.7,max=2048",
                       "lognormal:mean=150,cv=1,max=1024") {
        fold();
    }
};

double mean(const Forecast& forecast, Metric metric) {
    return forecast.latencies[metric][Statistic::mean].value();
}

void check_order(const Forecast& forecast) {
    for (const Metric metric : {Metric::ttft, Metric::tpot, Metric::e2e}) {
        const Percentiles& p = forecast.latencies[metric];
        CHECK(p[Statistic::p50] <= p[Statistic::p90]);
        CHECK(p[Statistic::p90] <= p[Statistic::p95]);
        CHECK(p[Statistic::p95] <= p[Statistic::p99]);
    }
}

}  // namespace

TEST_CASE("A closed forecast keeps Little's law and its latencies rise with the users") {
    for (const char* engine : engines) {
        const Chat one(engine);
        const InstanceModel model = one.model();
        Forecaster forecaster(model);
        const Seconds think(2.0);
        double ttft = 0, e2e = 0;
        for (const std::size_t users : {1U, 2U, 5U, 12U, 30U, 70U, 150U, 400U}) {
            CAPTURE(engine, users);
            const Forecast f = forecaster.closed(users, think, Detail::percentiles);
            CHECK(f.request_rate.value() * (mean(f, Metric::e2e) + 2.0) == Approx(users).epsilon(1e-9));
            CHECK(f.running + f.waiting == Approx(f.request_rate.value() * mean(f, Metric::e2e)).epsilon(1e-9));
            CHECK(f.output_tokens_per_s == Approx(f.request_rate.value() * one.workload.output.mean()));
            CHECK(f.utilization <= 1.0 + 1e-9);
            CHECK(mean(f, Metric::ttft) < mean(f, Metric::e2e));
            CHECK(mean(f, Metric::ttft) >= ttft * (1 - 1e-6));
            CHECK(mean(f, Metric::e2e) >= e2e * (1 - 1e-6));
            check_order(f);
            CHECK(f.latencies[Metric::e2e][Statistic::p99] > f.latencies[Metric::e2e][Statistic::p50]);
            ttft = mean(f, Metric::ttft), e2e = mean(f, Metric::e2e);
        }
    }
}

TEST_CASE("TTFT rises with the users up to the batch limit and beyond") {
    // Where prefills of many prompts come near their budget, and where a CUDA graph ends and a step takes a quarter
    // longer, more users once waited for less.
    struct Case {
        const char *node, *engine, *output;
        int tensor_parallel;
    };
    constexpr const char *chat = "lognormal:mean=200,cv=1.5,max=512", *base = "lognormal:mean=240,cv=0.2,max=512";
    for (const Case& c : {Case{"a100-40gb-sxm-8", "tgi-lightllm-2023", chat, 8},
                          {"a100-40gb-sxm-8", "tgi-lightllm-2023", base, 8},
                          {"a100-40gb-sxm-8", "tgi-lightllm-2023", chat, 4},
                          {"v100-32gb-sxm2-8", "tgi-lightllm-2023", base, 8},
                          {"a40-48gb-pcie-8", "tgi-lightllm-2023", base, 4},
                          {"a100-40gb-sxm-8", "tgi-3", chat, 8},
                          {"v100-32gb-sxm2-8", "tgi-3", base, 8}}) {
        TestInstance one("llama-13b", c.node, c.tensor_parallel, c.engine, "lognormal:mean=237.4,cv=0.6,max=1024",
                         c.output);
        one.fold();
        const InstanceModel model = one.model();
        Forecaster forecaster(model);
        const auto most = static_cast<std::size_t>(1.3 * model.batch_limit());
        double before = 0;
        for (std::size_t users = 1; users <= most; users += 1 + users / 40) {
            CAPTURE(c.node, c.engine, c.output, c.tensor_parallel, users);
            const double ttft = mean(forecaster.closed(users, Seconds(2.0), Detail::means), Metric::ttft);
            CHECK(ttft >= before * (1 - 2e-3));
            before = ttft;
        }
    }
}

TEST_CASE("An open forecast keeps Little's law up to saturation and is overloaded from there on") {
    for (const char* engine : engines) {
        const Chat one(engine);
        const InstanceModel model = one.model();
        Forecaster forecaster(model);
        const PerSecond most = model.rates().saturated();
        double e2e = 0;
        for (const double share : {0.01, 0.2, 0.5, 0.8, 0.95, 0.999}) {
            CAPTURE(engine, share);
            const Forecast f = forecaster.open(most * share, Detail::percentiles);
            CHECK_FALSE(f.overloaded);
            CHECK(f.request_rate.value() == Approx(f.offered_rate.value()));
            CHECK(f.running + f.waiting == Approx(f.request_rate.value() * mean(f, Metric::e2e)).epsilon(1e-9));
            CHECK(mean(f, Metric::e2e) >= e2e);
            check_order(f);
            e2e = mean(f, Metric::e2e);
        }
        for (const double share : {1.0, 1.5, 100.0}) {
            const Forecast f = forecaster.open(most * share, Detail::percentiles);
            CHECK(f.overloaded);
            CHECK((f.request_rate + f.shed_rate).value() == Approx(most.value() * share));
            CHECK(f.request_rate == most);
        }
    }
}

TEST_CASE("Prompts that need more of a chunk behind others than alone keep the order of their latencies") {
    // Of a chunk of 2048 tokens, 2700 take two steps, but two of them 2.6 and the half that stays empty.
    for (const char* prompt : {"2048", "2100", "2700", "4000"}) {
        TestInstance one("llama-2-7b", "a100-80gb-sxm-8", 1, "vllm-v1", prompt, "14");
        one.engine.max_step_tokens = 2048;
        one.fold();
        const InstanceModel model = one.model();
        Forecaster forecaster(model);
        double e2e = 0;
        for (const double share : {0.01, 0.3, 0.6, 0.9, 0.97}) {
            CAPTURE(prompt, share);
            const Forecast f = forecaster.open(model.rates().saturated() * share, Detail::percentiles);
            CHECK(mean(f, Metric::e2e) >= e2e);
            check_order(f);
            e2e = mean(f, Metric::e2e);
        }
    }
}

TEST_CASE("One user sees its own prefill and decode steps") {
    for (const char* engine : engines) {
        TestInstance one("llama-7b", "a40-48gb-pcie-8", 1, engine, "300", "101");
        one.fold();
        const InstanceModel model = one.model();
        Forecaster forecaster(model);
        const Forecast f = forecaster.closed(1, Seconds(2.0), Detail::means);
        // 100 decode steps over 301 ... 400 tokens.
        CHECK(mean(f, Metric::ttft) == Approx(one.prefill(1, 300)));
        CHECK(mean(f, Metric::tpot) == Approx(one.decode(1, 350.5)));
    }
}

TEST_CASE("Answers of one token have no time between tokens") {
    for (const char* engine : engines) {
        CAPTURE(engine);
        TestInstance one("llama-7b", "a40-48gb-pcie-8", 1, engine, "300", "1");
        one.fold();
        const InstanceModel model = one.model();
        Forecaster forecaster(model);
        const Forecast open = forecaster.open(model.rates().saturated() * 0.7, Detail::percentiles),
                       closed = forecaster.closed(20, Seconds(1.0), Detail::percentiles);
        for (const Forecast* f : {&open, &closed}) {
            for (const Statistic statistic : {Statistic::mean, Statistic::p50, Statistic::p99})
                CHECK(f->latencies[Metric::tpot][statistic] == Seconds(0));
            CHECK(mean(*f, Metric::e2e) == Approx(mean(*f, Metric::ttft)));
        }
    }
}

TEST_CASE("Prefills alone, one at a time and open, wait like M/D/1") {
    TestInstance one("llama-7b", "a40-48gb-pcie-8", 1, "vllm-v0", "500", "1");
    one.engine.max_prefill_tokens = 600;
    one.fold();
    const InstanceModel model = one.model();
    Forecaster forecaster(model);
    const double f = one.prefill(1, 500);
    for (const double load : {0.3, 0.6, 0.8}) {
        const Forecast forecast = forecaster.open(PerSecond(load / f), Detail::means);
        // Pollaczek and Khinchine for fixed service: F + rho F / (2 (1 - rho)). The chain knows states, not what is
        // left of a service, and errs to the safe side, up to M/M/1.
        CHECK(mean(forecast, Metric::ttft) >= 0.97 * f * (1 + load / (2 * (1 - load))));
        CHECK(mean(forecast, Metric::ttft) <= 1.03 * f / (1 - load));
    }
}

TEST_CASE("No forecast passes the token budget and the KV memory bound") {
    for (const char* engine : {"vllm-v1", "tgi-3", "vllm-v0", "tgi-lightllm-2023"}) {
        for (const char* node : {"a40-48gb-pcie-8", "v100-32gb-sxm2-8", "a100-80gb-sxm-8", "t4-16gb-pcie-8"}) {
            for (const char* prompt : {"100", "lognormal:mean=1500,cv=0.8,max=4096"}) {
                TestInstance one("llama-7b", node, 2, engine, prompt, "geometric:mean=200");
                one.fold();
                if (one.memory.kv_tokens <= 8000) continue;
                CAPTURE(engine, node, prompt);
                const InstanceModel model = one.model();
                const double most = model.rates().peak().value();
                const Distribution &p = one.workload.prompt, &o = one.workload.output;
                if (one.engine.scheduling == Scheduling::chunked) {
                    const double budget = one.engine.max_step_tokens, b = model.batch_limit();
                    const double prompts = (budget - b) / p.mean();
                    const StepShape full{.prefill_sequences = prompts,
                                         .prefill_tokens = budget - b,
                                         .attention_pairs = prompts * (p.second_moment() + p.mean()) / 2,
                                         .decode_sequences = b,
                                         .context_tokens = b * model.context()};
                    CHECK(most <= token_budget_bound(budget, one.cost->step(full), p.mean(), o.mean()).value());
                }
                // The pool turns over once in an iteration at least as long as a decode step of the full batch.
                const Seconds step = one.cost->decode(model.batch_limit(), model.batch_limit() * model.context());
                const double held =
                    mean_kv_token_iterations(p.mean(), o.mean(), o.second_moment(), p.mean() * o.mean());
                CHECK(most <= kv_memory_bound(one.memory.kv_tokens, step, held).value() * 1.01);
            }
        }
    }
}
