#include "model/capacity/instance_model.hpp"

#include <cmath>

#include "tests/catch.hpp"
#include "tests/instance.hpp"

using namespace plimsoll;

TEST_CASE("One request meets nobody: its prefill and its decode steps") {
    for (const char* engine : {"vllm-v0", "vllm-v1", "tgi-3", "tgi-lightllm-2023"}) {
        TestInstance one("llama-13b", "a100-40gb-sxm-8", 2, engine, "500", "201");
        one.fold();
        const InstanceState state = one.model().at(1);
        // 200 steps over 501 ... 700 tokens, 600.5 in the mean; their time is affine in the context.
        const double expected = one.prefill(1, 500) + 200 * one.decode(1, 600.5);
        CAPTURE(engine);
        CHECK(state.admission.value() == 0);
        CHECK(state.prefill.value() == Approx(one.prefill(1, 500)));
        CHECK(state.residence.value() == Approx(expected));
        CHECK(state.own_interval.value() == Approx(one.decode(1, 600.5)));
    }
}

TEST_CASE("The mean field keeps Little's law for the decoding requests and never serves less with more") {
    for (const char* engine : {"vllm-v0", "vllm-v1", "tgi-3", "tgi-lightllm-2023"}) {
        TestInstance one("llama-7b", "a40-48gb-pcie-8", 1, engine, "lognormal:mean=400,cv=0.8,max=2048",
                         "lognormal:mean=150,cv=1,max=1024");
        one.fold();
        const InstanceModel model = one.model();
        CAPTURE(engine);
        double before = 0;
        for (double n = 1; n <= model.batch_limit(); n = std::floor(1.3 * n + 1)) {
            const InstanceState state = model.at(n);
            const double decoding = state.rate().value() * state.token_interval.value() * model.decode_steps();
            CHECK(decoding == Approx(state.decoding).epsilon(0.02));
            CHECK(state.rate().value() >= before * 0.999);
            before = state.rate().value();
        }
    }
}

TEST_CASE("Times scale together") {
    TestInstance one("llama-7b", "a40-48gb-pcie-8", 1, "vllm-v1", "400", "150");
    one.fold();
    // Every time 1.5-fold, once each.
    ByCause<double> deviations, z;
    deviations.values.fill(std::log(1.5));
    deviations[Cause::engine_kernels] = deviations[Cause::host_speed] = 0.0;
    z.values.fill(1.0);
    const StepCost slow(*one.architecture, one.deployment, TimeFactors(deviations, z));
    const InstanceModel model = one.model(), slower(slow, one.deployment, one.memory, one.workload);
    for (const double n : {1.0, 7.0, 40.0}) {
        CHECK(slower.at(n).residence.value() == Approx(1.5 * model.at(n).residence.value()).epsilon(1e-3));
        CHECK(slower.at(n).decoding == Approx(model.at(n).decoding).epsilon(1e-3));
    }
}

TEST_CASE("The batch limit under a full reservation, by hand") {
    TestInstance one("llama-7b", "a40-48gb-pcie-8", 1, "tgi-lightllm-2023", "300", "100");
    one.engine.reserved_output_tokens.reset();
    one.fold();
    // Each of 400 tokens; in the mean half of one stays free: 4200 / 400 = 10.5, 10 of them.
    one.memory.kv_tokens = 4200;
    CHECK(one.model().batch_limit() == Approx(10.0));
    CHECK(one.model().limited_by_memory());
    // A client that asks for 700: 1000 tokens each, 4.2 less 0.5.
    one.engine.reserved_output_tokens = 700;
    CHECK(one.model().batch_limit() == Approx(3.7));
    one.memory.kv_tokens = 1e9;
    CHECK(one.model().batch_limit() == one.deployment.max_sequences);
    CHECK_FALSE(one.model().limited_by_memory());
}

TEST_CASE("Prefills alone are a single server: one prompt at a time gives 1 / F, a group its own rate") {
    TestInstance one("llama-7b", "a40-48gb-pcie-8", 1, "vllm-v0", "500", "1");
    one.engine.max_prefill_tokens = 600;
    one.fold();
    const double f = one.prefill(1, 500);
    for (const double n : {4.0, 16.0, 64.0}) CHECK(one.model().at(n).rate().value() == Approx(1 / f).epsilon(0.03));
    one.engine.max_prefill_tokens = 2000;
    CHECK(one.model().at(200).rate().value() == Approx(4 / one.prefill(4, 500)).epsilon(0.03));
}

TEST_CASE("TGI's window at saturation: a full prefill budget every max_waiting_tokens steps") {
    TestInstance one("llama-7b", "a40-48gb-pcie-8", 1, "tgi-lightllm-2023", "500", "50");
    one.engine.max_prefill_tokens = 2000;
    one.engine.waiting_served_ratio = 5;
    one.engine.max_waiting_tokens = 20;
    one.engine.reserved_output_tokens.reset();
    one.fold();
    one.memory.kv_tokens = 1e6;
    // Four prompts, then twenty steps of those who decode: 49 steps of each meet about 49 / 20 prefills of four.
    const double running = 4 * 49 / 20.0;
    const double cycle = one.prefill(4, 500) + 20 * one.decode(running, running * 525.0);
    CHECK(one.model().at(300).rate().value() == Approx(4 / cycle).epsilon(0.02));
}
