#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "calibrate/host/instruction_sets.hpp"
#include "calibrate/measured_profile.hpp"
#include "calibrate/processor_entries.hpp"
#include "model/base/csv.hpp"
#include "model/spec/catalog.hpp"
#include "tests/catch.hpp"
#include "tests/cli_run.hpp"

using cli::run;
using cli::words;

namespace {

using namespace plimsoll;

Measured measured(KernelClass kernel, const std::string& benchmark, KernelPoint point, double seconds, int round) {
    point.kernel = kernel;
    point.shape.ranks = 4;
    Measured result{benchmark, round, {.point = point, .times = {Seconds(seconds)}, .median = Seconds(seconds)}};
    result.sample.clock_mhz = 3000;
    return result;
}

/// A machine of exactly 100 GFLOP/s and 10 GB/s whose threads wake in 5 us.
std::vector<Measured> round_machine() {
    std::vector<Measured> samples;
    for (int round = 0; round < 3; ++round) {
        for (const std::int64_t m : {1, 8, 24, 64, 128})
            for (const std::int64_t n : {1024, 2048, 4096}) {
                const double flop = 2.0 * static_cast<double>(m * n) * 1024, bytes = static_cast<double>(n) * 1024 * 4;
                samples.push_back(measured(KernelClass::gemm, "gemm",
                                           {.path = "eigen", .dtype = "fp32", .shape = {.m = m, .n = n, .k = 1024}},
                                           5e-6 + std::max(flop / 100e9, bytes / 10e9), round));
            }
        samples.push_back(measured(KernelClass::memory, "memory",
                                   {.path = "read", .dtype = "fp32", .shape = {.bytes = 100'000'000}}, 0.01, round));
        samples.push_back(measured(KernelClass::launch, "launch", {.path = "team", .dtype = "fp32"}, 5e-6, round));
    }
    return samples;
}

const SampleLabels labels{"plimsoll", "cpu-round-4", "eigen-3.4.0", "", 4};

}  // namespace

TEST_CASE("rates of a processor follow from its samples, and its entries are good data") {
    const auto rates = processor_rates(round_machine(), labels);
    REQUIRE(rates);
    // The longest product takes 10.7 ms besides its 5 us.
    CHECK(rates->peaks.at("fp32").value == Approx(100e9).epsilon(0.001));
    CHECK(rates->bandwidth.value == Approx(10e9));
    CHECK(rates->launch.value == Approx(5e-6));
    CHECK(rates->crossover == Approx(20).epsilon(0.001));
    CHECK_FALSE(rates->prefill_compute);
    CHECK_FALSE(processor_rates({}, labels));
    // Rounds agree, so what is left is what runs may differ by: 5 %.
    CHECK(rates->bandwidth.deviation == Approx(0.5e9));
    CHECK(rates->peaks.at("fp32").deviation == Approx(5e9).epsilon(0.001));
    // A round that ended before its large products says nothing of the peak.
    auto cut = round_machine();
    for (const Measured& one : round_machine())
        if (one.round == 0 && one.sample.point.shape.m == 1) {
            cut.push_back(one);
            cut.back().round = 3;
        }
    const auto rates_of_cut = processor_rates(cut, labels);
    REQUIRE(rates_of_cut);
    CHECK(rates_of_cut->peaks.at("fp32").value == Approx(rates->peaks.at("fp32").value));
    CHECK(rates_of_cut->peaks.at("fp32").deviation == Approx(rates->peaks.at("fp32").deviation));

    ProcessorFacts facts{
        .name = "cpu-round-4", .vendor = "nobody", .model = "Round", .measured = "a test", .threads = 4};
    facts.memory = Bytes(64e9), facts.usable_memory = Bytes(60e9), facts.last_cache = Bytes(32e6);
    const cli::TemporaryFolder folder;
    for (const auto& [path, text] : processor_entries(facts, *rates)) folder.write(path, text);
    Catalog catalog({cli::shipped_data, folder.path()});
    const Node& node = catalog.nodes.at("cpu-round-4-1", "test");
    CHECK(node.gpu == "cpu-round-4");
    const Gpu& gpu = catalog.gpus.at(node.gpu, "test");
    CHECK(gpu.peak_of(Dtype::fp32).value.value() == Approx(100e9).epsilon(0.001));
    CHECK(gpu.peak_of(Dtype::fp32).origin == Origin::measured_here);
    CHECK_FALSE(gpu.supports(Dtype::fp16));
    CHECK(catalog.classes.at(gpu.efficiency_class, "test").gemm.launch.value.value() == Approx(5e-6));
    CHECK(catalog.engines.at(bare_engine, "test").name == bare_engine);
    for (const std::string path : {"gpus/cpu-round-4", "classes/cpu-round-4", "nodes/cpu-round-4-1"})
        CHECK(
            run({"check", folder.path() + "/hardware_db/" + path + ".json", "--data", folder.path()}, cli::shipped_data)
                .code == 0);
    const cli::Result planned =
        run(words("plan --node cpu-round-4-1 --engine bare-kernels --model llama-3.2-1b --weights fp32 --kv-cache fp32 "
                  "--workload chat --users 1 --think-time 60s --ttft 100s --tpot 10s --data " +
                  folder.path()),
            cli::shipped_data);
    INFO(planned.errors);
    CHECK(planned.code == 0);
    CHECK_THAT(planned.out, ContainsSubstring("1 node of cpu-round-4-1"));
}

TEST_CASE("samples of a known machine give back its constants, and their errors hold another run") {
    const auto samples = round_machine();
    const auto rates = processor_rates(samples, labels);
    REQUIRE(rates);
    const ProcessorFacts facts{.name = "cpu-round-4",
                               .vendor = "nobody",
                               .model = "Round",
                               .measured = "a test",
                               .threads = 4,
                               .memory = Bytes(64e9),
                               .usable_memory = Bytes(60e9)};
    const cli::TemporaryFolder folder;
    for (const auto& [path, text] : processor_entries(facts, *rates)) folder.write(path, text);
    Catalog catalog({cli::shipped_data, folder.path()});
    const MeasuredProfile fitted = fit_samples(samples, labels, catalog);
    REQUIRE(fitted.profile.kernels.size() == 1);
    const KernelModel& model = fitted.profile.kernels.front();
    CHECK(model.origin == Origin::measured_here);
    CHECK(model.points == 15);
    CHECK(model.residuals.mean_ape < 0.05);
    CHECK(fitted.profile.gpu == "cpu-round-4");
    for (const FittedConstant& constant : model.constants) {
        INFO(constant.name);
        CHECK(constant.standard_error >= 0.05 * constant.value);
        if (constant.name == "compute_efficiency" || constant.name == "memory_efficiency")
            CHECK(std::abs(constant.value - 1.0) < 2.0 * constant.standard_error);
    }
    // Norms of 64 KiB and more at 5 GB/s, half of what reads of memory reach, and their wake-up.
    auto more = samples;
    for (int round = 0; round < 3; ++round)
        for (const std::int64_t tokens : {2, 8, 32, 128, 512}) {
            const std::int64_t bytes = tokens * 4096 * 8;
            const KernelPoint norm{
                .path = "rms-norm", .dtype = "fp32", .shape = {.m = tokens, .n = 4096, .bytes = bytes}};
            more.push_back(measured(KernelClass::elementwise, "elementwise", norm,
                                    5e-6 + static_cast<double>(bytes) / 5e9, round));
        }
    const Profile with_norms = fit_samples(more, labels, catalog).profile;
    REQUIRE(with_norms.kernels.size() == 2);
    const auto norms = std::find_if(with_norms.kernels.begin(), with_norms.kernels.end(),
                                    [](const KernelModel& kernel) { return kernel.kernel == "elementwise"; });
    REQUIRE(norms != with_norms.kernels.end());
    CHECK(norms->constants[0].value == Approx(0.5).epsilon(0.05));
    CHECK(norms->constants[1].value == Approx(5e-6).epsilon(0.1));
    // One sample that ran out of time changes nothing; all of them leave nothing to fit.
    auto slow = samples;
    for (Measured& one : slow) one.sample.timed_out = true;
    CHECK(fit_samples(slow, labels, catalog).profile.kernels.empty());
}

TEST_CASE("calibrate run keeps samples and facts, however little time it had") {
    const cli::TemporaryFolder folder;
    const cli::Result result = run({"calibrate", "run", "--quick", "--budget", "1s", "--threads", "2", "--name",
                                    "cpu-test", "--output-data", folder.path(), "--format", "json"},
                                   cli::shipped_data);
    INFO(result.errors);
    CHECK(result.code == 0);
    const auto document = nlohmann::json::parse(result.out);
    CHECK(document.at("device") == "cpu-test");
    CHECK(document.at("threads") == 2);
    CHECK(document.at("interrupted") == false);
    const std::string samples = folder.path() + "/samples/cpu-test/";
    const auto facts = nlohmann::json::parse(cli::read(samples + "facts.json"));
    CHECK(facts.at("schema") == "plimsoll/measurement/1");
    CHECK(facts.at("device") == "cpu-test");
    CHECK(facts.at("facts").contains("date"));
    std::size_t rows = 0;
    for (const auto& entry : std::filesystem::directory_iterator(samples))
        if (entry.path().extension() == ".csv") rows += Csv::from_file(entry.path().string()).rows();
    CHECK(rows == document.at("samples"));
}

TEST_CASE("calibrate run refuses what it cannot do before it measures") {
    const cli::Result cuda = run({"calibrate", "run", "--device", "cuda"});
    CHECK(cuda.code == 2);
    CHECK_THAT(cuda.errors, ContainsSubstring("plimsoll_bench"));
    CHECK_THAT(cuda.errors, ContainsSubstring("calibrate fit --from"));
    CHECK(run(words("calibrate run --device tpu")).code == 2);
    CHECK(run(words("calibrate run --budget 5")).code == 2);
    CHECK(run(words("calibrate run --threads 0")).code == 2);
    CHECK(run(words("calibrate run --name A")).code == 2);
    const cli::Result unknown = run(words("calibrate run --instructions sse9"));
    CHECK(unknown.code == 2);
    for (const InstructionSet& set : instruction_sets())
        CHECK_THAT(unknown.errors, ContainsSubstring(std::string(set.name)));
    CHECK(run(words("calibrate run --output-data /proc/none")).code == 4);
    CHECK(run(words("calibrate run --output-data /dev/null")).code == 4);
    const cli::TemporaryFolder folder;
    CHECK(run({"calibrate", "run", "--output-data", folder.path(), "--samples-out", "/dev/full/x"}).code == 4);
    CHECK(folder.files() == 0);
}

TEST_CASE("calibrate alone and a wrong second word are answered with the words that there are") {
    const cli::Result alone = run({"calibrate"});
    CHECK(alone.code == 2);
    CHECK_THAT(alone.errors, ContainsSubstring("Usage: plimsoll calibrate COMMAND"));
    CHECK_THAT(alone.errors, ContainsSubstring("calibrate run"));
    CHECK(alone.errors.find("explain") == std::string::npos);
    const cli::Result help = run({"calibrate", "--help"});
    CHECK(help.code == 0);
    CHECK(help.out == alone.errors);
    CHECK_THAT(run(words("calibrate rnu")).errors,
               ContainsSubstring("calibrate: unknown command 'rnu'; did you mean 'run'?"));
}
