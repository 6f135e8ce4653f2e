// Which measured kernels a deployment takes, and what they do to its times, its answers and their intervals.
#include "model/cost/kernel_choice.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "calibrate/profile_writer.hpp"
#include "model/base/error.hpp"
#include "model/capacity/planner.hpp"
#include "model/cost/beyond_measured.hpp"
#include "model/cost/step_cost.hpp"
#include "tests/catch.hpp"
#include "tests/profiles.hpp"

using namespace plimsoll;
namespace fs = std::filesystem;

namespace {

/// A data directory with profiles that goes away with the test.
struct Overlay {
    fs::path path = fs::temp_directory_path() / ("plimsoll-profiles-" + std::to_string(::getpid()));
    Overlay() { fs::create_directories(path / "hardware_db/profiles"); }
    ~Overlay() { fs::remove_all(path); }
    Overlay(const Overlay&) = delete;
    Overlay& operator=(const Overlay&) = delete;
    void add(const Profile& profile) const {
        std::ofstream(path / "hardware_db/profiles" / (profile.name + ".json")) << profile_json(profile, profile.name);
    }
};

/// Products by the form `gemm` at 40 % of the peak and of the bandwidth, no launch.
Profile profile_of(const std::string& name, const std::string& gpu, const std::string& library) {
    Profile profile = testing::sample_profile();
    profile.name = name;
    profile.gpu = gpu;
    profile.aliases.clear();
    KernelModel& gemm = profile.kernels.front();
    gemm.library = library;
    gemm.path.clear();
    gemm.form = "gemm";
    gemm.constants = {{"compute_efficiency", 0.4, 0.01},
                      {"memory_efficiency", 0.4, 0.01},
                      {"launch", 0.0, 0.0},
                      {"sharpness", 10.0, 0.1},
                      {"dequantization", 0.5, 0.1}};
    gemm.covariance.clear();
    gemm.learner = {};
    return profile;
}

Deployment deployment_on(const std::string& node, Catalog& catalog, const std::string& engine = "vllm-v1") {
    Deployment d;
    d.node = &catalog.nodes.at(node, "test");
    d.gpu = &catalog.gpus.at(d.node->gpu, "test");
    d.model = &catalog.models.at("llama-7b", "test");
    d.engine = &catalog.engines.at(engine, "test");
    d.weights = Dtype::fp16;
    d.max_sequences = d.engine->max_sequences;
    return d;
}

}  // namespace

TEST_CASE("a measured product takes the time that its constants say") {
    const Overlay overlay;
    overlay.add(profile_of("mine", "a30-24gb-pcie", "vllm-1"));
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    Deployment d = deployment_on("a30-24gb-pcie-8", catalog);
    set_kernels(d, catalog, {.any = true, .only = &catalog.profiles.at("mine", "test")});
    // 8192 x 8192 x 8192 in fp16 on 165 TFLOP/s at 40 %: 2 x 8192^3 / 66e12 = 16.66 ms; the bytes take a hundredth.
    const Operator op = gemm_operator("square", "square", 8192, 8192, 8192, Dtype::fp16);
    CHECK(KernelTimes(d).time(op).value() == Approx(16.66e-3).epsilon(0.001));
    CHECK(kernel_source(d, OperatorKind::gemm) == "vllm-1 on a30-24gb-pcie, measured here: plimsoll calibrate run");
    CHECK(kernel_origin(d, OperatorKind::gemm) == Origin::measured_here);
    CHECK(kernel_source(d, OperatorKind::decode_attention) == "class ampere-a30, fitted");
    set_kernels(d, catalog, {.any = false, .only = nullptr});
    CHECK(kernel_source(d, OperatorKind::gemm) == "class ampere-a30, estimated");
}

TEST_CASE("measured here comes before elsewhere, and the engine's library before others") {
    const Overlay overlay;
    Profile elsewhere = profile_of("elsewhere", "a30-24gb-pcie", "vllm-1");
    elsewhere.kernels.front().origin = Origin::measured_elsewhere;
    overlay.add(elsewhere);
    Profile here = profile_of("here", "a30-24gb-pcie", "torch-2");
    overlay.add(here);
    Profile both = profile_of("both", "a30-24gb-pcie", "torch-3");
    both.kernels.push_back(both.kernels.front());
    both.kernels.back().library = "vllm-2";
    both.kernels.back().points = 5;
    overlay.add(both);
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    Deployment d = deployment_on("a30-24gb-pcie-8", catalog);
    set_kernels(d, catalog, {});
    CHECK_THAT(kernel_source(d, OperatorKind::gemm), ContainsSubstring("vllm-2 on a30"));
    set_kernels(d, catalog, {.any = true, .only = &catalog.profiles.at("elsewhere", "test")});
    CHECK_THAT(kernel_source(d, OperatorKind::gemm), ContainsSubstring("vllm-1 on a30"));
    set_kernels(d, catalog, {.any = true, .only = &catalog.profiles.at("here", "test")});
    CHECK_THAT(kernel_source(d, OperatorKind::gemm), ContainsSubstring("torch-2 on a30"));
}

TEST_CASE("a GPU without measurements borrows from its class, peaks scaled and wider, and from nobody else") {
    const Overlay overlay;
    overlay.add(profile_of("h200", "h200-141gb-sxm", "vllm-1"));
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    const ProfileChoice only{.any = true, .only = &catalog.profiles.at("h200", "test")};
    Deployment measured = deployment_on("h200-141gb-sxm-8", catalog), kin = deployment_on("h100-80gb-sxm-8", catalog);
    set_kernels(measured, catalog, only);
    set_kernels(kin, catalog, only);
    // One row reads the weights: the times are as the bandwidths, 4.8 over 3.35 TB/s.
    const Operator op = gemm_operator("row", "row", 1, 8192, 8192, Dtype::fp16);
    CHECK(KernelTimes(kin).time(op) / KernelTimes(measured).time(op) == Approx(4.8 / 3.35).epsilon(0.01));
    CHECK(kernel_origin(kin, OperatorKind::gemm) == Origin::estimated);
    CHECK_THAT(kernel_source(kin, OperatorKind::gemm), ContainsSubstring("on h200-141gb-sxm, borrowed, measured here"));
    const double own = deviations(measured)[Cause::gemm_memory], borrowed = deviations(kin)[Cause::gemm_memory];
    // 7 % of transfer, independent of the rest.
    CHECK(borrowed * borrowed - own * own == Approx(0.07 * 0.07));

    Deployment stranger = deployment_on("a30-24gb-pcie-8", catalog);
    set_kernels(stranger, catalog, only);
    CHECK(deviations(stranger)[Cause::gemm_memory] > 0.2);
}

namespace {

/// All-reduce of two to four ranks in 10 us + bytes / (100 GB/s) of bus bandwidth, 1 to 64 MiB.
Profile all_reduce_profile(const std::string& name, const std::string& gpu, const std::string& topology,
                           Origin origin) {
    Profile profile = profile_of(name, gpu, "nccl-1");
    KernelModel& model = profile.kernels.front();
    model.kernel = model.form = "all_reduce";
    model.topology = topology;
    model.constants = {};
    for (const char* ranks : {"2", "4", "8", "16"})
        model.constants.push_back({std::string("latency_") + ranks, 10e-6, 0.0});
    for (const char* ranks : {"2", "4", "8", "16"})
        model.constants.push_back({std::string("bandwidth_") + ranks, 100e9, 0.0});
    model.constants.push_back({"mid", 0.0, 0.0});
    model.constants.push_back({"mid_exponent", 0.5, 0.0});
    model.ranges = {{"bytes", 1048576, 67108864}, {"ranks", 2, 4}};
    model.origin = origin;
    return profile;
}

}  // namespace

TEST_CASE("a fitted all-reduce stands before the links and before an estimate, not before the machine's own table") {
    const Overlay overlay;
    overlay.add(all_reduce_profile("switched", "a100-80gb-sxm", "nvswitch", Origin::measured_elsewhere));
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    const auto on = [&](const char* node, int ranks, const char* profile = "switched") {
        Deployment d = deployment_on(node, catalog);
        d.tensor_parallel = ranks;
        set_kernels(d, catalog, {.any = true, .only = &catalog.profiles.at(profile, "test")});
        return d;
    };
    // The 40 GB machine's bandwidth of two GPUs is an estimate; of four it was measured.
    const Deployment borrowed = on("a100-40gb-sxm-8", 2);
    CHECK_THAT(collective_source(borrowed), ContainsSubstring("nccl-1 on a100-80gb-sxm, borrowed"));
    CHECK(collective_basis(borrowed).origin == Origin::estimated);
    CHECK(collective_source(on("a100-40gb-sxm-8", 4)) == "NCCL on node a100-40gb-sxm-8, measured elsewhere");
    CHECK_THAT(collective_source(on("a40-48gb-pcie-8", 4)), ContainsSubstring("bandwidth measured elsewhere, latency"));
    CHECK(collective_source(on("a100-80gb-sxm-8", 4)) == "NCCL 2.27.3 on node a100-80gb-sxm-8, measured elsewhere");
    // Three ranks of the very GPU are in no table, and between those fitted; eight of another node are beyond them.
    CHECK(collective_basis(on("a100-80gb-sxm-8", 3)).origin == Origin::measured_elsewhere);
    CHECK(collective_source(on("a100-80gb-sxm-8", 6)) == "links of node a100-80gb-sxm-8, estimated");
    // Cards on PCIe are not joined by a switch, and the links of another class are others.
    CHECK_FALSE(collective_basis(on("a100-80gb-pcie-8", 4)).measured);
    CHECK_FALSE(collective_basis(on("h20-96gb-sxm-8", 4)).measured);

    // 16 MiB among two: each link carries 2 (p - 1) / p = 1 time as much, 167.77 us, and 10 us of latency.
    Operator op{.name = "all_reduce", .document_name = "", .kind = OperatorKind::all_reduce};
    op.work.message = Bytes(16777216);
    op.ranks = 2;
    CHECK(KernelTimes(borrowed).time(op).value() ==
          Approx(177.77e-6 + borrowed.engine->collective_overhead.value.value()).epsilon(1e-4));
    // The fit's residuals (0.14 on both sides, between the quantiles 0.05 and 0.2, at the ends of the middle 80 %),
    // another laboratory, another GPU.
    const double residual = 2 * 0.14 / 2.5631;
    CHECK(deviations(borrowed)[Cause::links] == Approx(std::sqrt(0.15 * 0.15 + 0.07 * 0.07 + residual * residual)));
}

TEST_CASE("an all-reduce measured here stands before the machine's table") {
    const Overlay overlay;
    overlay.add(all_reduce_profile("mine", "a100-80gb-sxm", "", Origin::measured_here));
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    Deployment d = deployment_on("a100-80gb-sxm-8", catalog);
    d.tensor_parallel = 4;
    set_kernels(d, catalog, {});
    CHECK(collective_basis(d).origin == Origin::measured_here);
    CHECK_THAT(collective_source(d), ContainsSubstring("nccl-1 on a100-80gb-sxm, measured here"));
    set_kernels(d, catalog, {.any = false, .only = nullptr});
    CHECK(collective_basis(d).curve);
}

TEST_CASE("the names of topologies fit the nodes that they speak of") {
    Catalog catalog({PLIMSOLL_SOURCE_DIR});
    const auto joined = [&](const char* node, const char* topology) {
        return joined_as(catalog.nodes.at(node, "test"), topology);
    };
    CHECK(joined("h200-141gb-sxm-8", "nvswitch"));
    CHECK(joined("a100-80gb-sxm-8", "dgx"));
    CHECK_FALSE(joined("a100-80gb-sxm-8", "dgx:2nodes"));
    CHECK_FALSE(joined("a100-80gb-sxm-8", "pcie4"));
    CHECK(joined("a100-80gb-pcie-8", "pairwise_nvlink"));
    CHECK(joined("v100-32gb-sxm2-8", "nvlink_mesh8"));
    CHECK_FALSE(joined("v100-32gb-sxm2-8", "nvlink_mesh4"));
    CHECK(joined("v100-32gb-pcie-8", "pcie3"));
    CHECK_FALSE(joined("v100-32gb-pcie-8", "pcie4"));
    CHECK_FALSE(joined("v100-32gb-pcie-8", "pcie3:2nodes"));
    CHECK_FALSE(joined("v100-32gb-pcie-8", ""));
}

TEST_CASE("sizes beyond the measured ones are named and widen") {
    const Overlay overlay;
    overlay.add(profile_of("mine", "a30-24gb-pcie", "vllm-1"));  // n from 1024 to 16384
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    Deployment d = deployment_on("a30-24gb-pcie-8", catalog);
    set_kernels(d, catalog, {.any = true, .only = &catalog.profiles.at("mine", "test")});
    const std::vector<Operator> inside{gemm_operator("a", "a", 8, 4096, 4096, Dtype::fp16)};
    const std::vector<Operator> outside{gemm_operator("a", "a", 8, 65536, 4096, Dtype::fp16)};
    CHECK(beyond_measured(d, inside).empty());
    REQUIRE(beyond_measured(d, outside).size() == 1);
    CHECK_THAT(beyond_measured(d, outside).front(), ContainsSubstring("n = 65536 (measured to 16384)"));
    // Two factors of two, a tenth each.
    const KernelTimes times(d);
    const auto variance = [&](const std::vector<Operator>& operators) {
        const double deviation = deviations(d, operators, times)[Cause::gemm_memory];
        return deviation * deviation;
    };
    CHECK(variance(outside) - variance(inside) == Approx(0.2 * 0.2));
    // Of two products those two factors count by the share that the outside one has of the time; a router of 64
    // experts, four factors of two below, hardly at all.
    const double inner = times.time(inside[0]).value(), outer = times.time(outside[0]).value();
    CHECK(variance({inside[0], outside[0]}) - variance(inside) == Approx(std::pow(0.2 * outer / (inner + outer), 2)));
    std::vector<Operator> mixture{gemm_operator("experts", "experts", 8, 16384, 4096, Dtype::fp16),
                                  gemm_operator("router", "router", 8, 64, 4096, Dtype::fp16)};
    CHECK(beyond_measured(d, mixture).size() == 1);
    CHECK(variance(mixture) - variance(inside) < 0.25 * 0.4 * 0.4);
}

TEST_CASE("rows in eights and others are mixed as batches come, but where a graph pads them") {
    const Overlay overlay;
    Profile profile = profile_of("mine", "a30-24gb-pcie", "vllm-1");
    profile.kernels.push_back(profile.kernels.front());
    profile.kernels.back().path = "unaligned";
    profile.kernels.back().constants[1].value = 0.1;  // a quarter of the bandwidth
    overlay.add(profile);
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    Deployment d = deployment_on("a30-24gb-pcie-8", catalog);
    Engine eager = *d.engine;
    eager.host.graph_batch = 0;
    eager.name = "eager";
    const Operator op = gemm_operator("few", "few", 16, 8192, 8192, Dtype::fp16);
    const auto time = [&](const Engine& engine) {
        d.engine = &engine;
        set_kernels(d, catalog, {.any = true, .only = &catalog.profiles.at("mine", "test")});
        return KernelTimes(d).time(op).value();
    };
    const double padded = time(catalog.engines.at("vllm-v1", "test"));
    // An eighth of the time at 40 % and seven of that at 10 %: (1 + 7 x 4) / 8 = 3.625.
    CHECK(time(eager) / padded == Approx(3.625).epsilon(0.01));
}

TEST_CASE("a profile of a form that is not there is refused by name") {
    const Overlay overlay;
    Profile profile = profile_of("mine", "a30-24gb-pcie", "vllm-1");
    profile.kernels.front().form = "gem";
    overlay.add(profile);
    profile = profile_of("other", "a40-48gb-pcie", "vllm-1");
    profile.kernels.front().constants.pop_back();
    overlay.add(profile);
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    Deployment d = deployment_on("a30-24gb-pcie-8", catalog);
    CHECK_THROWS_WITH(set_kernels(d, catalog, {}), ContainsSubstring("profile mine: unknown kernel form 'gem'"));
    d = deployment_on("a40-48gb-pcie-8", catalog);
    CHECK_THROWS_WITH(set_kernels(d, catalog, {}), ContainsSubstring("the form 'gemm' of gemm has the constants"));
}

TEST_CASE("an overlay's profile changes what a plan stands on") {
    const Overlay overlay;
    overlay.add(profile_of("mine", "a30-24gb-pcie", "vllm-1"));
    const auto answer = [](Catalog& catalog, ProfileChoice choice) {
        Scenario s;
        s.models = {&catalog.models.at("llama-7b", "test")};
        s.nodes = {&catalog.nodes.at("a30-24gb-pcie-8", "test")};
        s.engines = {&catalog.engines.at("vllm-v1", "test")};
        s.workload.prompt = s.workload.output = Distribution::fixed(200);
        s.tensor_parallel = {1};
        s.load.registered_users = 100000;
        s.load.think_time = Distribution::uniform(1.0, 3.0);
        s.slo.terms = {{Metric::tpot, Statistic::mean, Seconds(0.08)}, {Metric::ttft, Statistic::mean, Seconds(2.0)}};
        s.cost.amortization = Seconds(1e8);
        s.profiles = choice;
        const Plan result = plan(s, catalog);
        REQUIRE(result.answers.at(0).best);
        return *result.answers[0].best;
    };
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    const Candidate measured = answer(catalog, {}), by_class = answer(catalog, {.any = false, .only = nullptr});
    CHECK(kernel_origin(measured.deployment, OperatorKind::gemm) == Origin::measured_here);
    CHECK(kernel_origin(by_class.deployment, OperatorKind::gemm) == Origin::estimated);
    // 40 % of peak and bandwidth are less than any class gives.
    CHECK(measured.users_per_instance < by_class.users_per_instance);
}

namespace {

/// Experts by the form `moe`: no launch but 10 us, half the peaks, no knee to speak of.
Profile experts_profile(const std::string& name, const std::string& gpu, const std::string& dtype) {
    Profile profile = profile_of(name, gpu, "vllm-1");
    KernelModel& model = profile.kernels.front();
    model.kernel = model.form = "moe";
    model.dtype = dtype;
    model.constants = {{"compute_efficiency", 0.5, 0.0}, {"memory_efficiency", 0.5, 0.0}, {"launch", 10e-6, 0.0},
                       {"per_expert", 0.0, 0.0},         {"empty_rows", 0.0, 0.0},        {"taller_tiles", 0.0, 0.0},
                       {"sharpness", 50.0, 0.0},         {"dequantization", 0.5, 0.0},    {"depth", 0.0, 0.0},
                       {"between_efficiency", 1e6, 0.0}, {"foreign", 0.0, 0.0},           {"cache_misses", 0.0, 0.0}};
    model.ranges = {};
    return profile;
}

Deployment mixture_on(const std::string& node, Catalog& catalog) {
    Deployment d = deployment_on(node, catalog);
    d.model = &catalog.models.at("mixtral-8x7b", "test");
    set_kernels(d, catalog, {});
    return d;
}

}  // namespace

TEST_CASE("experts take the time of the kernel that was measured for all their products together") {
    const Overlay overlay;
    overlay.add(experts_profile("mine", "a30-24gb-pcie", "fp16"));
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    const Deployment d = mixture_on("a30-24gb-pcie-8", catalog);
    CHECK_THAT(experts_source(d), ContainsSubstring("vllm-1 on a30-24gb-pcie, measured here"));
    CHECK(experts_origin(d) == Origin::measured_here);
    const Architecture architecture(*d.model);
    std::vector<Operator> operators;
    const KernelTimes times(d);
    const auto of_experts = [&](double tokens) {
        architecture.operators({.decode_sequences = tokens, .context_tokens = tokens}, {}, {d.weights, d.kv},
                               operators);
        double sum = 0;
        for (const Operator& op : operators)
            if (op.experts > 0) sum += op.count * times.time(op).value();
        return sum / d.model->layers;
    };
    // One token reads two experts of 3 x 4096 x 14336 fp16 weights, 704.6 MB, at half of 933 GB/s: 1510.5 us, and 10 us
    // once; activations are a ten-thousandth.
    CHECK(of_experts(1) == Approx(1520.5e-6).epsilon(1e-3));
    // 8192 tokens x 2 rows x 2 x 176.2 million at half of 165 TFLOP/s: 69.97 ms.
    CHECK(of_experts(8192) == Approx(69.98e-3).epsilon(1e-3));
}

TEST_CASE("experts are borrowed from any GPU of the maker, the same type first") {
    const Overlay overlay;
    overlay.add(experts_profile("other-type", "a30-24gb-pcie", "bf16"));
    overlay.add(experts_profile("own-type", "a30-24gb-pcie", "fp16"));
    Catalog catalog({PLIMSOLL_SOURCE_DIR, overlay.path.string()});
    Deployment d = mixture_on("t4-16gb-pcie-8", catalog);
    CHECK_THAT(experts_source(d), ContainsSubstring("borrowed"));
    CHECK(experts_origin(d) == Origin::estimated);
    d = mixture_on("a30-24gb-pcie-8", catalog);
    CHECK(d.measured->experts.models.front()->dtype == "fp16");
    d.weights = Dtype::awq_int4;
    set_kernels(d, catalog, {});
    CHECK(d.measured->experts.models.front()->dtype == "int4_wo");
    // The spread between libraries and GPUs: wider than of one's own, narrower than what a class's constants miss by.
    const double borrowed = deviations(d)[Cause::experts];
    d = mixture_on("a30-24gb-pcie-8", catalog);
    CHECK(deviations(d)[Cause::experts] < borrowed);
    CHECK(borrowed < 0.6);
    d = mixture_on("mi300x-192gb-oam-8", catalog);
    CHECK(experts_source(d) == "class cdna, estimated");
    CHECK(deviations(d)[Cause::experts] == 0.6);
    // A dense model has none.
    d.model = &catalog.models.at("llama-7b", "test");
    CHECK(deviations(d)[Cause::experts] == 0.0);
}
