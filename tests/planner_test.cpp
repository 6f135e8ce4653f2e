#include "model/capacity/planner.hpp"

#include <algorithm>
#include <cmath>

#include "model/capacity/pricing.hpp"
#include "tests/catch.hpp"
#include "tests/chat_scenario.hpp"
#include "tests/instance.hpp"

using namespace plimsoll;
using testing::chat;

namespace {

Catalog& catalog() {
    return TestInstance::catalog();
}

const Candidate& best(const Plan& plan) {
    REQUIRE(plan.answers.size() == 1);
    INFO(plan.answers[0].reason);
    REQUIRE(plan.answers[0].best);
    return *plan.answers[0].best;
}

std::string refusal_of(Scenario scenario) {
    const Plan result = plan(scenario, catalog());
    REQUIRE_FALSE(result.candidates.empty());
    REQUIRE(result.candidates[0].refusal);
    return result.candidates[0].refusal->why;
}

}  // namespace

TEST_CASE("Nodes are users over users a node, rounded up, and spares come on top") {
    Scenario s = chat();
    s.tensor_parallel = {1};
    s.instances_per_node = {1};
    const double per_node = best(plan(s, catalog())).users_per_node;
    REQUIRE(per_node > 20);
    s.load.registered_users = 3 * per_node;
    CHECK(best(plan(s, catalog())).nodes == 3);
    s.load.registered_users = 3 * per_node + 1;
    s.spares = 2;
    const Plan four = plan(s, catalog());
    CHECK(best(four).nodes_needed == 4);
    CHECK(best(four).nodes == 6);
    CHECK(best(four).gpus == 6 * 8);
    CHECK(best(four).survives_one_node_down);
    CHECK(best(four).uncertainty->nodes.low <= 4);
    CHECK(best(four).uncertainty->nodes.high >= 4);
    CHECK(best(four).uncertainty->capacity.low <= best(four).users_per_instance);
    CHECK(best(four).uncertainty->capacity.high >= best(four).users_per_instance);
}

TEST_CASE("Headroom keeps a share of the capacity free, and active share and peak shape the load") {
    Scenario s = chat();
    s.tensor_parallel = {1};
    s.instances_per_node = {1};
    const double per_node = best(plan(s, catalog())).users_per_node;
    s.load.registered_users = 8 * per_node;
    s.headroom = 0.2;  // 8 / 0.8 = 10
    CHECK(best(plan(s, catalog())).nodes == 10);
    s.load.active_share = 0.1;
    s.load.peak_factor = 2.0;  // a fifth of the users: 1.6 / 0.8 = 2
    CHECK(best(plan(s, catalog())).nodes == 2);
    s.load.kind = Load::Kind::open;
    s.load.peak_factor = 1.0;
    s.load.rate = PerSecond(1.0);
    const double rate = best(plan(s, catalog())).rate_per_node.value();
    s.load.rate = PerSecond(4 * rate * 0.999);  // 4 / 0.8 = 5
    const Plan open = plan(s, catalog());
    CHECK(best(open).nodes == 5);
    CHECK(best(open).at_load.request_rate.value() == Approx(0.8 * rate).epsilon(0.002));
}

TEST_CASE("More confidence takes more nodes and is stated, until nothing suffices") {
    Scenario s = chat();
    s.tensor_parallel = {1};
    s.load.registered_users = 20000;
    const Plan plain = plan(s, catalog());
    const Interval interval = best(plain).uncertainty->nodes;
    double last = best(plain).nodes_needed;
    for (const double confidence : {0.6, 0.8, 0.9, 0.97}) {
        s.confidence = confidence;
        const Plan sure = plan(s, catalog());
        CAPTURE(confidence, best(sure).nodes_needed, interval.low, interval.high);
        CHECK(best(sure).uncertainty->promise_probability >= confidence);
        CHECK(best(sure).nodes_needed >= last);
        CHECK(best(sure).users_per_instance == best(plain).users_per_instance);
        // The capacity's 10th percentile ends the interval of 80 %.
        if (confidence < 0.9) CHECK(best(sure).nodes_needed <= interval.high);
        if (confidence >= 0.9) CHECK(best(sure).nodes_needed >= interval.high);
        last = best(sure).nodes_needed;
    }
    CHECK(last > best(plain).nodes_needed);
    // One user alone has this TPOT with about even odds.
    s.confidence.reset();
    s.load.registered_users = 1;
    s.slo.terms = {{Metric::tpot, Statistic::mean, Seconds(1e3)}};
    s.slo.terms[0].limit = best(plan(s, catalog())).at_load.latencies[Metric::tpot][Statistic::mean] * 1.001;
    REQUIRE(plan(s, catalog()).answers[0].best);
    s.confidence = 0.99;
    const Plan never = plan(s, catalog());
    REQUIRE_FALSE(never.answers[0].best);
    CHECK(never.candidates[0].refusal->why.find("less than the 99 % asked for") != std::string::npos);
}

TEST_CASE("Without a spare or room, losing one node breaks the promises") {
    Scenario s = chat();
    s.tensor_parallel = {1};
    s.instances_per_node = {1};
    s.load.registered_users = 2 * best(plan(s, catalog())).users_per_node;
    const Plan two = plan(s, catalog());
    CHECK(best(two).nodes == 2);
    CHECK_FALSE(best(two).survives_one_node_down);
    REQUIRE(best(two).one_node_down);
    CHECK(best(two).one_node_down->latencies.worst_ratio(s.slo) > 1.0);
    s.load.registered_users = 10;
    CHECK_FALSE(best(plan(s, catalog())).one_node_down);
}

TEST_CASE("What cannot be is refused in words") {
    Scenario s = chat();
    SECTION("tensor degree and heads") {
        s = chat("llama-30b");  // 52 heads
        s.tensor_parallel = {8};
        CHECK_THAT(refusal_of(s), ContainsSubstring("52") && ContainsSubstring("8"));
    }
    SECTION("too large, and by how much") {
        s = chat("llama-65b");
        s.tensor_parallel = {1};
        CHECK_THAT(refusal_of(s), ContainsSubstring("exceed") && ContainsSubstring("GiB of a100-40gb-sxm by"));
    }
    SECTION("lengths beyond the model") {
        s.workload.prompt = Distribution::parse_tokens("uniform:min=1,max=4000", "test");
        CHECK_THAT(refusal_of(s), ContainsSubstring("p99 prompt + output") && ContainsSubstring("2048 of llama-7b"));
    }
    SECTION("more instances than GPUs") {
        s.tensor_parallel = {4};
        s.instances_per_node = {3};
        CHECK(refusal_of(s) == "3 instances of 4 GPUs on a node of 8");
    }
    SECTION("weights that the engine does not run") {
        s = chat("llama-7b", "a100-40gb-sxm-8", "tgi-lightllm-2023");
        s.weights = {Dtype::fp8};
        CHECK_THAT(refusal_of(s), ContainsSubstring("tgi-lightllm-2023 does not run fp8 weights"));
    }
    SECTION("GPUs of another maker") {
        s = chat("llama-7b", "mi300x-192gb-oam-8", "tensorrt-llm");
        CHECK(refusal_of(s) == "tensorrt-llm does not run on GPUs of AMD");
    }
    SECTION("arithmetic that the GPU lacks") {
        s = chat("llama-7b", "v100-32gb-sxm2-8");
        s.weights = {Dtype::bf16};
        CHECK_THAT(refusal_of(s), ContainsSubstring("has no bf16 arithmetic"));
    }
    SECTION("a promise that one user breaks") {
        s.slo.terms = {{Metric::tpot, Statistic::mean, Seconds(0.001)}};
        CHECK_THAT(refusal_of(s),
                   ContainsSubstring("with one user alone, tpot mean is") && ContainsSubstring("(limit 1.00 ms)"));
    }
}

TEST_CASE("Pipelines are tried where the weights fit no tensor degree alone, and only there") {
    Scenario s = chat("llama-65b", "t4-16gb-pcie-8", "vllm-v0");  // 130 GB on 8 x 16 GB: not even by pipelines
    s.hosts_per_instance = {1};
    const auto degrees = [](const Plan& result) {
        int most = 1;
        for (const Candidate& c : result.candidates) most = std::max(most, c.deployment.pipeline_parallel);
        return most;
    };
    CHECK(degrees(plan(s, catalog())) == 8);
    CHECK(degrees(plan(chat("llama-65b"), catalog())) == 1);
    // 52 heads go over 4 GPUs at the most: 65 GB on 4 x 16 GB do not fit, on 4 x 2 they do.
    const Plan thirty = plan(chat("llama-30b", "t4-16gb-pcie-8", "vllm-v0"), catalog());
    CHECK(degrees(thirty) == 8);
    CHECK(std::any_of(thirty.candidates.begin(), thirty.candidates.end(), [](const Candidate& c) {
        return c.deployment.tensor_parallel == 4 && c.deployment.pipeline_parallel == 2 && c.memory.kv_tokens > 0;
    }));
    s.pipeline_parallel = {1, 2};
    CHECK(degrees(plan(s, catalog())) == 2);
}

TEST_CASE("Smaller weights leave more KV cache, and all listed dtypes and engines are tried") {
    Scenario s = chat("llama-7b", "h100-80gb-sxm-8");
    s.tensor_parallel = {1};
    s.weights = {Dtype::fp16, Dtype::fp8, Dtype::awq_int4};
    const Plan result = plan(s, catalog());
    REQUIRE(result.candidates.size() == 3);
    CHECK(result.candidates[0].memory.kv_tokens < result.candidates[1].memory.kv_tokens);
    CHECK(result.candidates[1].memory.kv_tokens < result.candidates[2].memory.kv_tokens);
    s.engines.push_back(&catalog().engines.at("tgi-3", "test"));
    CHECK(plan(s, catalog()).candidates.size() == 6);
    CHECK(plan(s, catalog()).answers.size() == 1);
}

TEST_CASE("Weights nobody asked for are those of the checkpoint where engine and GPU run them") {
    const auto tried = [](const std::string& model, const std::string& node, const std::string& engine) {
        const Plan result = plan(chat(model, node, engine), catalog());
        REQUIRE_FALSE(result.candidates.empty());
        for (const Candidate& c : result.candidates)
            CHECK(c.deployment.weights == result.candidates[0].deployment.weights);
        return result.candidates[0].deployment.weights;
    };
    CHECK(tried("deepseek-r1", "h200-141gb-sxm-8", "vllm-v1") == Dtype::fp8_block);
    CHECK(tried("deepseek-r1", "a100-80gb-sxm-8", "vllm-v1") == Dtype::bf16);  // no fp8 arithmetic
    CHECK(tried("gpt-oss-120b", "h100-80gb-sxm-8", "vllm-v1") == Dtype::mxfp4);
    CHECK(tried("gpt-oss-120b", "h100-80gb-sxm-8", "vllm-v0") == Dtype::bf16);  // older than the format
    CHECK(tried("llama-3.1-8b", "h100-80gb-sxm-8", "vllm-v1") == Dtype::bf16);
    CHECK(tried("llama-3.1-8b", "t4-16gb-pcie-8", "vllm-v1") == Dtype::fp16);  // no bf16 arithmetic
    CHECK(tried("llama-7b", "h100-80gb-sxm-8", "vllm-v1") == Dtype::fp16);
}

TEST_CASE("The ranking is by cost, the front by brute force") {
    Scenario s = chat("llama-13b");
    s.nodes.push_back(&catalog().nodes.at("v100-32gb-sxm2-8", "test"));
    s.nodes.push_back(&catalog().nodes.at("a40-48gb-pcie-8", "test"));
    s.compare_nodes = false;
    s.load.registered_users = 5000;
    s.slo.terms = {{Metric::tpot, Statistic::mean, Seconds(0.1)}};
    const Plan result = plan(s, catalog());
    const Answer& answer = result.answers.at(0);
    REQUIRE(answer.best);
    const Candidate* before = &*answer.best;
    for (const Candidate& next : answer.runners_up) {
        CHECK(before->cost->value() <= next.cost->value());
        before = &next;
    }
    int front = 0;
    for (const Candidate& c : result.candidates) {
        if (c.refusal) continue;
        const auto tpot = [](const Candidate& x) { return x.at_load.latencies[Metric::tpot][Statistic::mean]; };
        bool beaten = false;
        for (const Candidate& o : result.candidates)
            beaten = beaten || (!o.refusal && *o.cost <= *c.cost && o.power <= c.power && tpot(o) <= tpot(c) &&
                                (*o.cost < *c.cost || o.power < c.power || tpot(o) < tpot(c)));
        CHECK(c.pareto != beaten);
        front += c.pareto;
    }
    CHECK(front >= 1);
}

TEST_CASE("Owned and rented cost, power and energy by hand") {
    Gpu gpu = catalog().gpus.at("a100-40gb-sxm", "test");
    Node node = catalog().nodes.at("a100-40gb-sxm-8", "test");
    gpu.list_price = Sourced<Dollars>{Dollars(10000.0)};
    gpu.power.value = Watts(400.0);
    gpu.rental = Sourced<DollarsPerSecond>{DollarsPerSecond(2.0 / 3600)};
    node.host_price = Sourced<Dollars>{Dollars(20000.0)};
    node.host_power.value = Watts(1000.0);
    Scenario s;
    s.cost.amortization = Seconds(1e8);
    s.cost.pue = 1.5;
    s.cost.tariff = DollarsPerJoule(0.1 / 3.6e6);
    Candidate c;
    c.deployment.gpu = &gpu;
    c.deployment.node = &node;
    c.deployment.tensor_parallel = 4;
    c.deployment.instances_per_node = 2;
    c.nodes_needed = 2;
    c.nodes = 3;
    c.at_load.running = 10;
    c.at_load.output_tokens_per_s = 1000;
    SECTION("bought") {
        price(s, c);
        // Two nodes at work: 8 x 400 + 1000 = 4200 W; the spare idles: 8 x 120 + 1000 = 1960 W; x 1.5.
        CHECK(c.power.value() == Approx((2 * 4200 + 1960) * 1.5));
        // 2 x 2 x 1000 tokens/s.
        CHECK(c.energy_per_token.value() == Approx(15540.0 / 4000));
        // 3 x 100,000 dollars over 1e8 s, and 15.54 kW at 0.1 dollars/kWh.
        CHECK(c.cost->value() == Approx(3e5 / 1e8 + 15.54 * 0.1 / 3600));
        CHECK(c.cost_per_million_tokens->value() == Approx(c.cost->value() / 4000 * 1e6));
    }
    SECTION("rented") {
        s.cost.rented = true;
        price(s, c);
        CHECK(c.cost->value() == Approx(3 * 8 * 2.0 / 3600));
        s.cost.rental_per_gpu = DollarsPerSecond(1.0 / 3600);
        price(s, c);
        CHECK(c.cost->value() == Approx(3 * 8 * 1.0 / 3600));
    }
    SECTION("half of the GPUs used") {
        c.deployment.instances_per_node = 1;
        c.nodes = 2;
        price(s, c);
        CHECK(c.power.value() == Approx(2 * (4 * 400 + 4 * 120 + 1000) * 1.5));
    }
    SECTION("each of two hosts draws and costs") {
        c.deployment.pipeline_parallel = 4;  // two stages of four GPUs on each
        c.deployment.hosts_per_instance = 2;
        c.deployment.instances_per_node = 1;
        price(s, c);
        CHECK(c.power.value() == Approx((2 * 4200 + 1960) * 1.5));
        CHECK(c.energy_per_token.value() == Approx(15540.0 / 1000));  // one instance on the two
        CHECK(c.cost->value() == Approx(3e5 / 1e8 + 15.54 * 0.1 / 3600));
    }
    SECTION("an unknown price stays unknown") {
        gpu.list_price.reset();
        price(s, c);
        CHECK_FALSE(c.cost);
        CHECK_FALSE(c.cost_per_million_tokens);
        CHECK(c.cost_unknown == "list price of a100-40gb-sxm");
        CHECK(c.power.value() > 0);
    }
}

TEST_CASE("Published values stand beside the candidate of their layout") {
    Scenario s = chat();
    s.tensor_parallel = {1, 2};
    MeasuredValue measured;
    measured.model = s.models[0];
    measured.node = s.nodes[0];
    measured.tensor_parallel = 2;
    measured.users_per_instance = 100;
    s.measured = {measured};
    const Plan result = plan(s, catalog());
    REQUIRE(result.answers.at(0).comparisons.size() == 1);
    const Comparison& comparison = result.answers[0].comparisons[0];
    const auto of_layout = std::find_if(result.candidates.begin(), result.candidates.end(),
                                        [](const Candidate& c) { return c.deployment.tensor_parallel == 2; });
    CHECK(comparison.deployment.tensor_parallel == 2);
    CHECK(comparison.predicted == of_layout->users_per_instance);
    CHECK(comparison.error == Approx(comparison.predicted / 100 - 1));
}

TEST_CASE("A plan answers where one prompt fills a prefill") {
    for (const char* engine : {"tgi-lightllm-2023", "vllm-v0"}) {
        Scenario s = chat("llama-3.1-8b", "a100-40gb-sxm-8", engine);
        for (const char* node : {"t4-16gb-pcie-8", "h200-141gb-sxm-8"})
            s.nodes.push_back(&catalog().nodes.at(node, "test"));
        s.load.registered_users = 10000;
        // vLLM's limit counts the answer too.
        s.workload.prompt =
            Distribution::fixed(s.engines[0]->max_prefill_tokens - (s.engines[0]->max_total_tokens ? 1 : 0));
        s.workload.output = Distribution::fixed(1.0);
        s.slo.terms = {{Metric::ttft, Statistic::p95, Seconds(5)}, {Metric::tpot, Statistic::p95, Seconds(0.1)}};
        CAPTURE(engine);
        CHECK(plan(s, catalog()).feasible());
    }
}

TEST_CASE("A plan answers where one request fills the KV cache") {
    Scenario s = chat("llama-13b", "t4-16gb-pcie-8", "tgi-lightllm-2023");
    Engine engine = *s.engines[0];
    engine.workspace_memory.value = Bytes(0.5e9);
    s.engines = {&engine};
    s.load.registered_users = 7;
    s.workload.prompt = Distribution::fixed(300.0);
    s.workload.output = Distribution::fixed(4.0);
    s.slo.terms = {{Metric::ttft, Statistic::mean, Seconds(5)}};
    const Plan result = plan(s, catalog());
    CHECK(std::any_of(result.candidates.begin(), result.candidates.end(),
                      [](const Candidate& c) { return !c.refusal && c.largest_batch < 2.0; }));
}
