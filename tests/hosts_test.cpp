// Instances over several hosts: messages by hand, laws, a plan, and measured times between two hosts.
#include <algorithm>
#include <cmath>

#include "model/base/csv.hpp"
#include "model/capacity/planner.hpp"
#include "model/cost/parallelism.hpp"
#include "model/cost/step_cost.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
using testing::deployment;
using testing::library;

namespace {

const Node& node(const std::string& name) {
    return library().nodes.at(name, "test");
}

/// vLLM whose host costs nothing, so that steps are the GPUs' alone.
Engine without_host() {
    Engine engine = library().engines.at("vllm-v1", "test");
    Engine::Host& host = engine.host;
    for (Sourced<Seconds>* time :
         {&host.per_step, &host.per_sequence, &host.per_prefill, &host.per_request, &host.per_layer})
        time->value = Seconds(0);
    return engine;
}

Scenario chat(const std::string& model, const std::string& node_name, const std::string& engine = "vllm-v1") {
    Scenario s;
    s.models = {&library().models.at(model, "test")};
    s.nodes = {&node(node_name)};
    s.engines = {&library().engines.at(engine, "test")};
    s.workload.prompt = Distribution::parse_tokens("lognormal:mean=300,cv=0.7,max=1000", "test");
    s.workload.output = Distribution::parse_tokens("lognormal:mean=200,cv=0.7,max=900", "test");
    s.load.registered_users = 2000;
    s.load.think_time = Distribution::uniform(1.0, 3.0);
    s.slo.terms = {{Metric::tpot, Statistic::mean, Seconds(0.15)}, {Metric::ttft, Statistic::mean, Seconds(4.0)}};
    s.cost.amortization = Seconds(1e8);
    return s;
}

std::string why_not(const Scenario& scenario) {
    const Plan result = plan(scenario, library());
    REQUIRE_FALSE(result.candidates.empty());
    REQUIRE(result.candidates[0].refusal);
    return result.candidates[0].refusal->why;
}

}  // namespace

TEST_CASE("the last stage of a host sends across, the others within") {
    // Four stages on two hosts: two hops within, one across, of three in all; 32 tokens of 8192 values of 2 bytes, an
    // eighth from each of eight ranks.
    const Architecture architecture(testing::model("llama-65b"));
    std::vector<Operator> operators;
    step_operators(architecture, {.decode_sequences = 32, .context_tokens = 32},
                   {.tensor = 8, .pipeline = 4, .hosts = 2}, {Dtype::fp16, Dtype::fp16}, operators);
    double within = 0, across = 0;
    for (const Operator& op : operators) {
        if (op.kind != OperatorKind::send_recv) continue;
        (op.hosts == 1 ? within : across) += op.count;
        CHECK(op.work.message.value() == 32 * 8192 * 2 / 8.0);
    }
    CHECK(within == Approx(2.0 / 4));
    CHECK(across == Approx(1.0 / 4));
}

TEST_CASE("a message between hosts by hand") {
    // Eight senders over eight adapters of 47 GB/s: 6 us of two H200 in one host, 14 us of NCCL and 2 us of the link,
    // and 1 MiB at 47 GB/s, 22.3 us. Over two adapters, four senders share each.
    Node host = node("h200-141gb-sxm-8");
    const CollectiveTimes inside(host, 2, Seconds(0));
    CHECK(CollectiveTimes::across_hosts(host, 8, inside).send_recv(Bytes(1048576)).value() ==
          Approx(44.31e-6).epsilon(1e-3));
    host.nics = 2;
    CHECK(CollectiveTimes::across_hosts(host, 8, inside).send_recv(Bytes(1048576)).value() ==
          Approx(22e-6 + 4 * 22.31e-6).epsilon(1e-3));
    // One sender uses one adapter, however many there are.
    CHECK(CollectiveTimes::across_hosts(host, 1, inside).send_recv(Bytes(1048576)).value() ==
          Approx(44.31e-6).epsilon(1e-3));
}

TEST_CASE("nothing is cheaper between hosts than within one, and more senders are no faster") {
    int pairs = 0;
    for (const std::string& name : library().nodes.names()) {
        const Node& host = node(name);
        if (host.nics == 0 || host.gpus < 2) continue;
        const CollectiveTimes inside(host, 2, Seconds(5e-6));
        for (const double size : {0.0, 1e4, 1e6, 1e8}) {
            INFO(name << " " << size);
            Seconds before = inside.send_recv(Bytes(size));
            for (int senders = 1; senders <= host.gpus; senders *= 2) {
                const Seconds across = CollectiveTimes::across_hosts(host, senders, inside).send_recv(Bytes(size));
                CHECK(across.value() >= before.value() * (1 - 1e-12));
                before = across;
                ++pairs;
            }
        }
    }
    CHECK(pairs > 300);
}

TEST_CASE("over infinitely fast adapters two hosts are one but for the way through the network library") {
    Node host = node("a100-80gb-sxm-8");
    host.nic.effective.value = BytesPerSecond(1e30);
    host.nic.latency.value = Seconds(0);
    const Engine engine = without_host();
    Deployment d = deployment("llama-65b", "a100-80gb-sxm-8", 4, 2);
    d.node = &host;
    d.engine = &engine;
    const Architecture architecture(*d.model);
    const StepCost one(architecture, d);
    d.hosts_per_instance = 2;
    const StepCost two(architecture, d);
    CHECK(memory_budget(architecture, d).kv_tokens > 0);
    // One of the two stages sends: a single hop of 14 us a round.
    CHECK((two.decode(64, 64000) - one.decode(64, 64000)).value() == Approx(14e-6).epsilon(1e-6));
    CHECK((two.prefill(1, 2048, causal_pairs(2048, 0)) - one.prefill(1, 2048, causal_pairs(2048, 0))).value() ==
          Approx(14e-6).epsilon(1e-6));
}

TEST_CASE("a model too large for a node is planned over as few as hold it") {
    // 671e9 parameters of 2 bytes are 1342 GB; eight H200 have 1128 GB, sixteen 2256 GB.
    Scenario s = chat("deepseek-r1", "h200-141gb-sxm-8");
    s.weights = {Dtype::bf16};
    const Plan result = plan(s, library());
    REQUIRE(result.answers.at(0).best);
    const Candidate& best = *result.answers[0].best;
    const Deployment& d = best.deployment;
    CHECK(d.hosts_per_instance == 2);
    CHECK(d.gpus_per_instance() == 16);
    // The fuller stage has 31 of 61 layers, all with experts: 257 x 3 x 7168 x 2048 values of 2 bytes and 0.37 GB of
    // attention, 713 GB on eight ranks; each rank has the down projections of the latents whole, 0.8 GB more, and its
    // part of one table, 0.2 GB.
    CHECK(best.memory.weights.value() == Approx(90.2e9).epsilon(0.01));
    // Two nodes carry one instance: half of its users each, and nodes in pairs.
    CHECK(best.users_per_node == best.users_per_instance / 2);
    CHECK(best.nodes_needed == 2 * std::ceil(2000 / best.users_per_instance));
    CHECK(best.gpus == 8 * best.nodes);
    CHECK(best.at_load.users == std::ceil(2000.0 / (best.nodes_needed / 2)));
    CHECK(best.cost->value() ==
          Approx(best.nodes * (8 * d.gpu->list_price->value.value() + d.node->host_price->value.value()) / 1e8));
    for (const Candidate& c : result.candidates) CHECK(c.deployment.hosts_per_instance <= 2);
    s.weights = {Dtype::fp8};  // half of it fits one
    for (const Candidate& c : plan(s, library()).candidates) CHECK(c.deployment.hosts_per_instance == 1);
}

TEST_CASE("a spare node alone carries no instance of two") {
    Scenario s = chat("deepseek-r1", "h200-141gb-sxm-8");
    s.weights = {Dtype::bf16};
    s.load.registered_users = 10;
    const auto planned = [&] { return *plan(s, library()).answers.at(0).best; };
    CHECK(planned().nodes == 2);
    CHECK_FALSE(planned().one_node_down);  // one node is left
    s.spares = 1;
    CHECK(planned().nodes == 3);
    CHECK(planned().survives_one_node_down);
}

TEST_CASE("what cannot span hosts is refused with the reason") {
    Scenario s = chat("llama-7b", "rtx4090-24gb-pcie-1");
    s.hosts_per_instance = s.pipeline_parallel = {2};
    CHECK_THAT(why_not(s), ContainsSubstring("rtx4090-24gb-pcie-1 has no network adapters"));
    s = chat("llama-7b", "a100-40gb-sxm-8", "tgi-lightllm-2023");
    s.hosts_per_instance = s.pipeline_parallel = {2};
    CHECK_THAT(why_not(s), ContainsSubstring("tgi-lightllm-2023 does not divide an instance over hosts"));
    s = chat("llama-7b", "a100-40gb-sxm-8");
    s.hosts_per_instance = {2};
    s.pipeline_parallel = {3};
    CHECK_THAT(why_not(s), ContainsSubstring("2 hosts do not divide 3 pipeline stages"));
}

TEST_CASE("the form of messages between hosts against measured ones") {
    const auto file = testing::measurements("kernels/send_recv.csv");
    if (!file) {
        WARN("no measurements to compare with");
        return;
    }
    const Csv csv = Csv::from_file(*file);
    // Two A100 hosts, one sender. The adapter is not named: its bandwidth is that of the largest message, and all other
    // sizes, 2 KiB to 64 MiB, are predicted.
    std::vector<std::pair<double, double>> points;
    for (std::size_t i = 0; i < csv.rows(); ++i)
        if (csv.text(i, "gpu") == "a100-80gb-sxm" && csv.text(i, "topology") == "dgx:2nodes")
            points.emplace_back(*csv.number(i, "bytes"), *csv.number(i, "seconds"));
    REQUIRE(points.size() > 500);
    std::sort(points.begin(), points.end());
    Node host = node("a100-80gb-sxm-8");
    host.nic.effective.value = BytesPerSecond(points.back().first / points.back().second);
    const CollectiveTimes times = CollectiveTimes::across_hosts(host, 1, CollectiveTimes(host, 2, Seconds(0)));
    std::vector<double> errors, small;
    for (const auto& [bytes, seconds] : points) {
        const double error = std::abs(times.send_recv(Bytes(bytes)).value() / seconds - 1.0);
        errors.push_back(error);
        if (bytes < 65536) small.push_back(error);
    }
    const auto median = [](std::vector<double>& of) {
        std::nth_element(of.begin(), of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2), of.end());
        return of[of.size() / 2];
    };
    CHECK(median(errors) < 0.03);
    CHECK(median(small) < 0.15);
}
