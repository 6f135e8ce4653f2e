// Instances over several hosts: messages against values worked by hand and against measurements, laws, and plans.
#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "model/capacity/planner.hpp"
#include "model/cost/memory.hpp"
#include "model/cost/network.hpp"
#include "model/cost/step_cost.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
using testing::deployment;
using testing::library;

namespace {

Deployment over_hosts(const char* model, const char* node, int tensor, int pipeline, int hosts) {
    Deployment d = deployment(model, node, tensor, pipeline, "vllm-v1");
    d.hosts = hosts;
    return d;
}

/// A large model whose weights of 16 bits need more than the memory of one node.
Scenario large(const char* node) {
    Scenario s;
    s.models = {&testing::model("deepseek-r1")};
    s.nodes = {&library().nodes.at(node, "test")};
    s.engines = {&library().engines.at("vllm-v1", "test")};
    s.weights = {Dtype::bf16};
    s.workload = library().workloads.at("chat", "test");
    s.load.registered_users = 3000;
    s.load.think_time = Distribution::uniform(20, 40);
    s.slo.terms = {{Metric::tpot, Statistic::mean, Seconds(0.3)}, {Metric::ttft, Statistic::mean, Seconds(10)}};
    s.cost.amortization = Seconds(3 * 365.25 * 86400);
    return s;
}

}  // namespace

TEST_CASE("hosts: a message to another host goes over the sender's share of the adapters") {
    // Eight ranks, eight adapters of 47 GB/s: 1 MB in 21.3 us. Four ranks with one adapter of 11.5 GB/s among them:
    // 348 us.
    const auto a_megabyte = [](const char* node, int tensor) {
        const NetworkTimes network(over_hosts("llama-2-70b", node, tensor, 2, 2));
        return (network.send_recv(Bytes(1e6)) - network.send_recv(Bytes(0))).value();
    };
    CHECK(a_megabyte("h100-80gb-sxm-8", 8) == Approx(1e6 / 47e9));
    CHECK(a_megabyte("a100-80gb-pcie-8", 4) == Approx(4 * 1e6 / 11.5e9));
}

TEST_CASE("hosts: stages pass on within a host, and once from each host to the next") {
    // Four stages on two hosts: stages 1 and 3 pass inside, stage 2 to the other host, stage 4 to nobody; a quarter
    // each a stage. 64 tokens of 8192 values of 2 bytes, split over two ranks: 512 KiB.
    const Architecture architecture(testing::model("llama-2-70b"));
    std::vector<Operator> operators;
    step_operators(architecture, {.decode_sequences = 64, .context_tokens = 64},
                   {.tensor = 2, .pipeline = 4, .hosts = 2}, {Dtype::fp16, Dtype::fp16}, operators);
    std::map<int, double> counts;
    for (const Operator& op : operators) {
        if (op.kind != OperatorKind::send_recv) continue;
        counts[op.hosts] += op.count;
        CHECK(op.work.message == Bytes(512 * 1024));
    }
    CHECK(counts == std::map<int, double>{{1, 0.5}, {2, 0.25}});
}

TEST_CASE("hosts: a message to another host takes at least as long as one inside") {
    int checked = 0;
    for (const std::string& name : library().nodes.names()) {
        const Node& node = library().nodes.at(name, "test");
        if (node.nics == 0 || node.gpus < 2) continue;
        Deployment d = over_hosts("llama-2-70b", name.c_str(), 1, 2, 2);
        const NetworkTimes network(d);
        const CollectiveTimes inside(node, 2, d.engine->collective_overhead.value);
        INFO(name);
        for (const double size : {0.0, 1e3, 1e6, 1e9})
            CHECK(network.send_recv(Bytes(size)) >= inside.send_recv(Bytes(size)));
        ++checked;
    }
    CHECK(checked > 20);
}

TEST_CASE("hosts: over a link without limits two hosts are as fast as one") {
    Deployment one = over_hosts("llama-2-70b", "h100-80gb-sxm-8", 4, 2, 1), two = one;
    two.hosts = 2;
    Node fast = *two.node;
    fast.nic.effective.value = BytesPerSecond(1e18);
    fast.nic.hop = Sourced<Seconds>{};
    const Architecture architecture(*one.model);
    const StepCost here(architecture, one), real(architecture, two);
    two.node = &fast;
    const StepCost there(architecture, two);
    for (const double sequences : {1.0, 8.0, 200.0}) {
        CHECK(there.decode(sequences, 1000 * sequences).value() ==
              Approx(here.decode(sequences, 1000 * sequences).value()).epsilon(1e-12));
        CHECK(real.decode(sequences, 1000 * sequences) > here.decode(sequences, 1000 * sequences));
    }
    CHECK(there.prefill(1, 2000, causal_pairs(2000, 0)).value() ==
          Approx(here.prefill(1, 2000, causal_pairs(2000, 0)).value()).epsilon(1e-12));
}

TEST_CASE("hosts: a model that fits on no node alone goes over as few as hold it") {
    // 671e9 parameters of 2 bytes: 1342 GB. Two nodes of eight H200 have 2256 GB, one has 1128; of nodes of eight A100
    // with 640 GB it takes four, three being no power of two.
    const auto [node, hosts] =
        GENERATE(table<const char*, int>({{"h200-141gb-sxm-8", 2}, {"a100-80gb-sxm-8", 4}, {"b200-180gb-sxm-8", 1}}));
    CAPTURE(node);
    const Scenario scenario = large(node);
    const Plan found = plan(scenario, library());
    REQUIRE(found.feasible());
    const Candidate& best = *found.answers.front().best;
    const Deployment& d = best.deployment;
    CHECK(d.hosts == hosts);
    CHECK(d.pipeline_parallel % hosts == 0);
    CHECK(d.gpus_per_host() * d.instances_per_node <= 8);
    CHECK(best.nodes % hosts == 0);
    CHECK(best.gpus == 8 * best.nodes);
    CHECK(best.memory.weights * d.gpus_per_instance() >= Bytes(1342e9));
    CHECK(best.users_per_node == Approx(best.users_per_instance * d.instances_per_node / hosts));
    // Groups are enough, and one fewer is not.
    const int groups = best.nodes / hosts;
    CHECK(groups * d.instances_per_node * best.users_per_instance >= 3000);
    CHECK((groups - 1) * d.instances_per_node * best.users_per_instance < 3000);
}

TEST_CASE("hosts: named hosts are kept to, or refused with the reason") {
    Scenario scenario = large("h200-141gb-sxm-8");
    const auto refusal = [&] {
        const Plan found = plan(scenario, library());
        REQUIRE_FALSE(found.feasible());
        return found.candidates.front().refusal->why;
    };
    scenario.hosts = {1};
    CHECK(refusal().find("exceed") != std::string::npos);
    scenario.hosts = {3};
    scenario.pipeline_parallel = {4};
    CHECK(refusal() == "4 pipeline stages do not divide over 3 hosts");
    Node alone = *scenario.nodes.front();
    alone.nics = 0;
    scenario.nodes = {&alone};
    scenario.hosts = {2};
    CHECK(refusal() == "h200-141gb-sxm-8 has no adapter to another host");
    scenario.hosts = {1};
    scenario.tensor_parallel = {16};
    CHECK(refusal().find("GPUs") != std::string::npos);
}

TEST_CASE("hosts: messages between two hosts against those measured") {
    const auto file = testing::measurements("kernels/send_recv.csv");
    if (!file) {
        WARN("no measurements here");
        return;
    }
    // source,gpu,topology,library,ranks,bytes,dtype,seconds: medians of A100s on two hosts of a cloud.
    std::map<double, std::vector<double>> times;
    std::ifstream rows(*file);
    for (std::string row; std::getline(rows, row);) {
        if (row.find("a100-80gb-sxm,dgx:2nodes,") == std::string::npos) continue;
        std::vector<std::string> cells;
        std::stringstream line(row);
        for (std::string cell; std::getline(line, cell, ',');) cells.push_back(cell);
        times[std::stod(cells.at(5))].push_back(std::stod(cells.at(7)));
    }
    REQUIRE(times.size() > 100);
    // The bandwidth of that network is its own: from the largest message. The start and the shape are forecasts.
    Deployment d = over_hosts("llama-2-70b", "a100-80gb-sxm-8", 1, 2, 2);
    Node cloud = *d.node;
    Engine engine = *d.engine;
    engine.collective_overhead.value = Seconds(0);
    d.engine = &engine;
    d.node = &cloud;
    cloud.nic.effective.value = BytesPerSecond(times.rbegin()->first / times.rbegin()->second.front());
    const NetworkTimes network(d);
    double sum = 0;
    for (const auto& [bytes, seconds] : times)
        sum += std::abs(network.send_recv(Bytes(bytes)).value() / seconds[seconds.size() / 2] - 1.0);
    CHECK(sum / static_cast<double>(times.size()) < 0.05);
}
