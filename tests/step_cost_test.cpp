// The fold of a step against the sum over its operators, and the laws of the step time.
#include "model/cost/step_cost.hpp"

#include <algorithm>
#include <cmath>

#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
using testing::deployment;

namespace {

/// GPU time of a step as the sum over operators: stages of one stage's, in seconds.
double sum_over_operators(const StepCost& cost, const StepShape& shape) {
    std::vector<Operator> operators;
    cost.operators(shape, operators);
    double sum = 0;
    for (const Operator& op : operators) sum += op.count * cost.kernels().time(op).value();
    return sum * cost.stages();
}

/// GPU time of the fold: the step of an engine whose host takes no time.
Engine without_host(const Engine& engine) {
    Engine copy = engine;
    copy.host = {};
    return copy;
}

StepShape decode(double sequences, double context) {
    return {.decode_sequences = sequences, .context_tokens = context};
}

}  // namespace

TEST_CASE("the fold equals the sum over operators for everything shipped that fits") {
    const Engine engine = without_host(testing::library().engines.at("tgi-lightllm-2023", "test"));
    int checked = 0;
    double worst = 0;
    for (const std::string& node : testing::library().nodes.names())
        for (const std::string& model : testing::library().models.names()) {
            const Architecture architecture(testing::model(model));
            for (const int tensor : {1, 2, 4, 8}) {
                if (tensor > testing::library().nodes.at(node, "test").gpus) continue;
                Deployment deployed = deployment(model, node, tensor);
                if (architecture.refusal({.tensor = tensor}) || !deployed.gpu->supports(deployed.weights) ||
                    memory_budget(architecture, deployed).refusal(*deployed.gpu))
                    continue;
                deployed.engine = &engine;
                const StepCost cost(architecture, deployed);
                ++checked;
                INFO(node << " " << model << " tensor " << tensor);
                for (const double tokens : {1.0, 5.0, 48.0, 1024.0}) {
                    const StepShape shape = decode(tokens, tokens * 700);
                    CHECK(cost.step(shape).value() == Approx(sum_over_operators(cost, shape)).epsilon(1e-12));
                }
                const StepShape prompt{
                    .prefill_sequences = 4, .prefill_tokens = 1024, .attention_pairs = 4 * causal_pairs(256, 0)};
                CHECK(cost.step(prompt).value() == Approx(sum_over_operators(cost, prompt)).epsilon(1e-12));
                for (const double tokens : {9.0, 70.5, 177.0, 1400.0, 11000.0}) {
                    const StepShape shape = decode(tokens, tokens * 700);
                    const double exact = sum_over_operators(cost, shape);
                    worst = std::max(worst, std::abs(cost.step(shape).value() / exact - 1));
                    // The all-reduce of that L40S host takes three times as long for twice the bytes past 1 MiB.
                    CHECK(cost.step(shape).value() ==
                          Approx(exact).epsilon(node == "l40s-48gb-pcie-8-slow-sockets" ? 0.03 : 0.01));
                }
            }
        }
    CHECK(checked > 200);
    INFO("worst error between points " << worst);
    CHECK(worst > 0);
}

TEST_CASE("a mixed step is the sum over operators too") {
    for (const int pipeline : {1, 2}) {
        Deployment deployed = deployment("llama-13b", "a30-24gb-pcie-8", 2, pipeline, "vllm-v1");
        const Engine engine = without_host(*deployed.engine);
        deployed.engine = &engine;
        const Architecture architecture(*deployed.model);
        const StepCost cost(architecture, deployed);
        const StepShape shape{.prefill_sequences = 1,
                              .prefill_tokens = 448,
                              .attention_pairs = causal_pairs(448, 512),
                              .decode_sequences = 64,
                              .context_tokens = 20000};
        CHECK(cost.step(shape).value() == Approx(sum_over_operators(cost, shape)).epsilon(0.01));
    }
}

TEST_CASE("decode time is affine in the context on both sides of its breakpoint") {
    // The engine without CUDA graphs launches for 40 x 0.63 ms; the GPU overtakes with enough context.
    Deployment deployed = deployment("llama-13b", "a100-80gb-sxm-8", 1);
    Engine engine = *deployed.engine;
    engine.host.overlap_sharpness.reset();
    deployed.engine = &engine;
    const Architecture architecture(*deployed.model);
    const StepCost cost(architecture, deployed);
    const double b = 32, turn = cost.next_breakpoint(b, b);
    REQUIRE(std::isfinite(turn));
    REQUIRE(turn > 1000);
    // Below: the host alone, flat. Above: straight in the context.
    const double flat = cost.decode(b, b).value();
    CHECK(cost.decode(b, turn / 2).value() == Approx(flat).epsilon(1e-12));
    CHECK(cost.decode(b, turn).value() == Approx(flat).epsilon(1e-12));
    const double slope = (cost.decode(b, turn + 2e5).value() - cost.decode(b, turn + 1e5).value()) / 1e5;
    CHECK(slope > 0);
    CHECK(cost.decode(b, turn + 1000).value() == Approx(flat + 1000 * slope).epsilon(1e-12));
    CHECK(cost.decode(b, turn + 1e6).value() == Approx(flat + 1e6 * slope).epsilon(1e-12));
    CHECK(cost.next_breakpoint(b, turn * 0.9) == Approx(turn).epsilon(1e-9));
    CHECK(std::isinf(cost.next_breakpoint(b, turn * 1.0001)));
}

TEST_CASE("launches and GPU that hide each other badly take longer than either where they are near") {
    const LaunchOverlap smooth(4.0), longer(std::nullopt);
    const Seconds launches(0.05);
    // Both alike: 2^(1/4). Half and twice: (1 + 1/16)^(1/4) and (1 + 16)^(1/4).
    CHECK(smooth.time(launches, launches).value() == Approx(0.05 * 1.189207).epsilon(0.006));
    CHECK(smooth.time(Seconds(0.025), launches).value() == Approx(0.05 * 1.015272).epsilon(0.006));
    CHECK(smooth.time(Seconds(0.1), launches).value() == Approx(0.05 * 2.030543).epsilon(0.006));
    CHECK(smooth.time(Seconds(0), launches) == launches);
    CHECK(smooth.time(Seconds(0.03), Seconds(0)) == Seconds(0.03));
    CHECK(longer.time(Seconds(0.049), launches) == launches);
    CHECK(longer.time(Seconds(0.051), launches) == Seconds(0.051));
    // Whatever the sharpness, so that a comparison of some is one of the curves and not of their knots.
    for (const double sharpness : {1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 20.0, 100.0}) {
        CAPTURE(sharpness);
        const LaunchOverlap overlap(sharpness);
        for (double ratio = 0.0; ratio < 20.0; ratio += 0.01) {
            const double exact = std::pow(1.0 + std::pow(ratio, sharpness), 1.0 / sharpness);
            CHECK(overlap.time(launches * ratio, launches) >= std::max(launches, launches * ratio));
            CHECK(overlap.time(launches * ratio, launches) / launches == Approx(exact).epsilon(0.006));
        }
    }
}

TEST_CASE("a decode step is straight between the breakpoints of a smooth overlap") {
    const Deployment deployed = deployment("llama-13b", "a100-80gb-sxm-8", 1);
    REQUIRE(deployed.engine->host.overlap_sharpness);
    const Architecture architecture(*deployed.model);
    const StepCost cost(architecture, deployed);
    double from = 32, slope_before = -1;
    int pieces = 0;
    for (bool last = false; !last; ++pieces) {
        REQUIRE(pieces < 8);
        const double until = cost.next_breakpoint(32, from);
        last = std::isinf(until);
        const double end = last ? from + 1e6 : until, span = end - from;
        const auto at = [&](double share) { return cost.decode(32, from + share * span).value(); };
        CHECK(at(0.5) == Approx(0.5 * (at(0.1) + at(0.9))).epsilon(1e-12));
        // The GPU is hidden less and less: the slope rises.
        const double slope = (at(0.9) - at(0.1)) / span;
        CHECK(slope > slope_before);
        slope_before = slope;
        from = until;
    }
    CHECK(pieces >= 4);
}

TEST_CASE("a batch that runs as a CUDA graph has no breakpoint") {
    const Deployment deployed = deployment("llama-13b", "a100-80gb-sxm-8", 1, 1, "vllm-v0");
    const Architecture architecture(*deployed.model);
    const StepCost cost(architecture, deployed);
    CHECK(cost.host_launches(decode(256, 1e5)).value() == 0);
    CHECK(std::isinf(cost.next_breakpoint(256, 1e5)));
    CHECK(cost.host_launches(decode(257, 1e5)) > Seconds(0));
    // A prefill of this engine is never a graph.
    CHECK(cost.host_launches({.prefill_sequences = 1, .prefill_tokens = 10, .attention_pairs = 55}) > Seconds(0));
}

TEST_CASE("a step takes the slower of GPU and launches, and the serial host time") {
    Deployment deployed = deployment("llama-13b", "a100-80gb-sxm-8", 1);
    const Architecture architecture(*deployed.model);
    Engine bare = without_host(*deployed.engine);
    bare.host.overlap_sharpness.reset();
    Engine host = bare;
    host.host.per_step.value = Seconds(2e-3);
    host.host.per_sequence.value = Seconds(1e-5);
    host.host.per_prefill.value = Seconds(4e-3);
    host.host.per_request.value = Seconds(5e-3);
    host.host.per_layer.value = Seconds(1e-3);
    Node node = *deployed.node;
    node.host_speed.value = 0.5;  // everything takes twice as long
    deployed.node = &node;
    deployed.engine = &bare;
    const StepCost gpu(architecture, deployed);
    deployed.engine = &host;
    const StepCost cost(architecture, deployed);

    // 40 layers of 2 ms outlast a small batch; serial are 4 ms and 10 x 20 us.
    CHECK(gpu.decode(10, 3000) < Seconds(0.08));
    CHECK(cost.decode(10, 3000).value() == Approx(0.080 + 0.004 + 0.0002));
    // A prefill of 16 prompts of 1024 tokens outlasts the launches: serial are 4 + 16 x 0.02 + 8 + 16 x 10 ms.
    const double pairs = 16 * causal_pairs(1024, 0);
    CHECK(gpu.prefill(16, 16384, pairs) > Seconds(0.08));
    CHECK(cost.prefill(16, 16384, pairs).value() ==
          Approx(gpu.prefill(16, 16384, pairs).value() + 0.004 + 0.00032 + 0.008 + 0.160));

    const StepParts parts = cost.parts(decode(10, 3000));
    CHECK(parts.total == cost.decode(10, 3000));
    CHECK(parts.host_launches.value() == Approx(0.080));
    CHECK(parts.host_serial.value() == Approx(0.0042));
    const Seconds sum = parts.compute + parts.weights_read + parts.kv_read + parts.communication + parts.launch;
    CHECK(sum.value() == Approx(gpu.decode(10, 3000).value()).epsilon(0.01));
}

TEST_CASE("a pipeline of two stages works on half batches") {
    // A token passes both stages: twice the stage time of half the batch and half the layers, and one message.
    Deployment deployed = deployment("llama-13b", "a100-80gb-sxm-8", 1);
    const Engine engine = without_host(*deployed.engine);
    deployed.engine = &engine;
    const Architecture architecture(*deployed.model);
    const StepCost one(architecture, deployed);
    deployed.pipeline_parallel = 2;
    const StepCost two(architecture, deployed);
    CHECK(two.stages() == 2);
    const CollectiveTimes pair(*deployed.node, 2, engine.collective_overhead.value);
    const Seconds message = pair.send_recv(Bytes(32 * 5120 * 2));
    CHECK(two.decode(64, 64000).value() == Approx((one.decode(32, 32000) + message).value()).epsilon(1e-9));
    // A prefill goes through both stages undivided.
    const double pairs = causal_pairs(1024, 0);
    const Seconds through = two.prefill(1, 1024, pairs);
    CHECK(through.value() ==
          Approx((one.prefill(1, 1024, pairs) + pair.send_recv(Bytes(1024 * 5120 * 2))).value()).epsilon(1e-9));
}

TEST_CASE("prompts come into the batches of a pipeline by chance, and the fullest sets the pace") {
    Engine engine = without_host(testing::library().engines.at("vllm-v1", "test"));
    Deployment deployed = deployment("llama-13b", "a100-80gb-sxm-8", 1, 2);
    deployed.engine = &engine;
    const Architecture architecture(*deployed.model);
    const StepCost two(architecture, deployed);
    deployed.pipeline_parallel = 1;
    const StepCost one(architecture, deployed);
    const CollectiveTimes pair(*deployed.node, 2, engine.collective_overhead.value);
    const auto stages_of = [&](double prompts, double tokens, double pairs) {
        return (one.prefill(prompts, tokens, pairs) + pair.send_recv(Bytes(tokens * 5120 * 2))).value();
    };
    // Two prompts of 256 tokens are in one batch or in two with the same probability: 1.5 of them in the mean.
    const double pairs = causal_pairs(256, 0);
    CHECK(two.prefill(2, 512, 2 * pairs).value() == Approx(stages_of(1.5, 384, 1.5 * pairs)).epsilon(1e-9));
    // 1,000 prompts spread evenly but for sqrt(2 / pi) sqrt(1,000 / 4) = 12.6.
    CHECK(two.prefill(1000, 1000, 1000).value() == Approx(stages_of(512.6, 512.6, 512.6)).epsilon(2e-3));
    // One prompt of two budgets fills both batches.
    const double budget = engine.max_step_tokens, long_pairs = causal_pairs(2 * budget, 0);
    CHECK(two.prefill(1, 2 * budget, long_pairs).value() == Approx(stages_of(1, budget, long_pairs / 2)).epsilon(1e-9));
}

TEST_CASE("the fullest batch of a pipeline has what the fullest of as many bins has") {
    Engine engine = without_host(testing::library().engines.at("vllm-v1", "test"));
    engine.max_step_tokens = 1 << 20;
    for (const int stages : {2, 4, 8})
        for (const int prompts : {1, 2, 3, 4, 6, 10, 20, 60}) {
            // P(no bin has more than m) = k! / s^k [x^k] (sum of x^i / i! up to m)^s; the mean is the sum of the rest.
            double mean = 0;
            for (int most = 0; most < prompts; ++most) {
                std::vector<double> all(static_cast<std::size_t>(prompts) + 1, 0.0);
                all[0] = 1;
                for (int bin = 0; bin < stages; ++bin) {
                    std::vector<double> next(all.size(), 0.0);
                    for (std::size_t j = 0; j < all.size(); ++j)
                        for (std::size_t i = 0; i <= static_cast<std::size_t>(most) && j + i < all.size(); ++i)
                            next[j + i] += all[j] * std::exp(-std::lgamma(static_cast<double>(i) + 1.0));
                    all = next;
                }
                mean += 1.0 - std::exp(std::lgamma(prompts + 1.0) - prompts * std::log(stages)) * all.back();
            }
            Deployment deployed = deployment("llama-13b", "a100-80gb-sxm-8", 1, stages);
            deployed.engine = &engine;
            const Architecture architecture(*deployed.model);
            std::vector<Operator> operators;
            StepCost(architecture, deployed)
                .operators({.prefill_sequences = double(prompts), .prefill_tokens = 100.0 * prompts}, operators);
            const auto sent = std::find_if(operators.begin(), operators.end(),
                                           [](const Operator& op) { return op.kind == OperatorKind::send_recv; });
            REQUIRE(sent != operators.end());
            CAPTURE(stages, prompts);
            CHECK(sent->work.message.value() / (2 * 5120 * 100) == Approx(mean).epsilon(0.1));
        }
}

TEST_CASE("step time grows with everything") {
    for (const char* engine : {"tgi-lightllm-2023", "vllm-v1"})
        for (const char* node : {"a30-24gb-pcie-8", "v100-32gb-sxm2-8", "l40s-48gb-pcie-8-slow-sockets"}) {
            const Deployment deployed = deployment("llama-13b", node, 4, 1, engine);
            const Architecture architecture(*deployed.model);
            const StepCost cost(architecture, deployed);
            INFO(engine << " " << node);
            double before = 0;
            for (double b = 1; b <= deployed.max_sequences; b += 3) {
                const double now = cost.decode(b, b * 500).value();
                CHECK(now > before);
                CHECK(cost.decode(b, b * 600).value() >= now);
                before = now;
            }
            before = 0;
            for (double tokens = 16; tokens <= 8192; tokens *= 1.19) {
                const double now = cost.prefill(1, tokens, causal_pairs(tokens, 0)).value();
                CHECK(now >= before);
                before = now;
            }
        }
}
