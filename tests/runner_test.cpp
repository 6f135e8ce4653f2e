#include "calibrate/runner.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

#include "calibrate/point_choice.hpp"
#include "calibrate/sample_table.hpp"
#include "model/base/csv.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

/// Time that every run of a fake kernel moves on.
Seconds machine_time;

class FakeKernel final : public PreparedKernel {
  public:
    explicit FakeKernel(std::int64_t m) : m_(m) {}
    Reading run() override {
        const Seconds time(1e-4 * static_cast<double>(m_));
        machine_time += time;
        return {time, 1000, m_ == 66};
    }
    double error() override { return m_ == 13 ? 0.5 : 1e-7; }
    [[nodiscard]] double tolerance() const override { return 1e-6; }

  private:
    std::int64_t m_;
};

Registry<Microbenchmark> benchmarks(const std::map<std::string, std::vector<std::int64_t>>& sizes) {
    Registry<Microbenchmark> registry;
    for (const auto& [name, list] : sizes)
        registry.add(
            name, {.description = "",
                   .points =
                       [sizes_of_it = list](bool quick) {
                           std::vector<KernelPoint> points;
                           for (const std::int64_t m : sizes_of_it)
                               if (!quick || points.size() < 2)
                                   points.push_back({.path = "p", .dtype = "fp32", .shape = {.m = m, .n = 2, .k = 3}});
                           return points;
                       },
                   .prepare = [](const KernelPoint& point) -> std::unique_ptr<PreparedKernel> {
                       if (point.shape.m == 99) throw std::runtime_error("99 does not fit");
                       return std::make_unique<FakeKernel>(point.shape.m);
                   }});
    return registry;
}

std::vector<std::int64_t> sizes_of(const Measurements& measured, int round) {
    std::vector<std::int64_t> sizes;
    for (const Measured& one : measured.samples)
        if (one.round == round) sizes.push_back(one.sample.point.shape.m);
    return sizes;
}

const std::vector<std::int64_t> to_twelve{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

MeasuringSeams seams() {
    machine_time = Seconds(0);
    return {.now = [] { return machine_time; }};
}

}  // namespace

TEST_CASE("points come with the most telling of every benchmark first") {
    const auto registry = benchmarks({{"a", {1, 2, 3}}, {"b", {10, 20}}});
    std::vector<std::string> order;
    for (const Job& job : jobs_of(registry, false, 4)) {
        order.push_back(job.benchmark + std::to_string(job.point.shape.m));
        CHECK(job.point.shape.ranks == 4);
    }
    CHECK(order == std::vector<std::string>{"a1", "b10", "a2", "b20", "a3"});
    CHECK(jobs_of(registry, true, 4).size() == 4);
}

TEST_CASE("every round measures all points in an order of its own that the seed decides") {
    const auto registry = benchmarks({{"a", to_twelve}});
    const auto jobs = jobs_of(registry, false, 1);
    const Measurements first = measure(jobs, {.rounds = 2, .seed = 5}, seams());
    CHECK(first.complete_rounds == 2);
    CHECK_FALSE(first.interrupted);
    CHECK(first.took == machine_time);
    auto one = sizes_of(first, 0), two = sizes_of(first, 1);
    CHECK(one != two);
    CHECK(one != to_twelve);
    CHECK(*std::max_element(one.begin(), one.begin() + 6) == 6);  // the more telling half first
    CHECK(one == sizes_of(measure(jobs, {.rounds = 2, .seed = 5}, seams()), 0));
    CHECK(one != sizes_of(measure(jobs, {.rounds = 2, .seed = 6}, seams()), 0));
    std::sort(one.begin(), one.end());
    CHECK(one == to_twelve);
}

TEST_CASE("an exhausted budget keeps what was measured and begins nothing more") {
    const auto registry = benchmarks({{"a", to_twelve}});
    const auto jobs = jobs_of(registry, false, 1);
    // A point of m rows takes 10 runs (3 of warm-up, 7 that count) and one for nothing: 1 ms a row; all twelve 78 ms.
    const Measurements measured = measure(jobs, {.budget = Seconds(0.03), .rounds = 3}, seams());
    CHECK(measured.complete_rounds == 0);
    CHECK_FALSE(measured.interrupted);
    CHECK(measured.samples.size() >= 6);
    CHECK(measured.samples.size() < 12);
    CHECK(machine_time >= Seconds(0.03));
    CHECK(machine_time < Seconds(0.03 + 0.012));
}

TEST_CASE("somebody who stops it gets what was measured, marked") {
    const auto registry = benchmarks({{"a", to_twelve}});
    MeasuringSeams stopping = seams();
    stopping.go_on = [](const MeasuringStep& step) { return step.round == 0 || step.point < 4; };
    const Measurements measured = measure(jobs_of(registry, false, 1), {.rounds = 3}, stopping);
    CHECK(measured.interrupted);
    CHECK(measured.complete_rounds == 1);
    CHECK(measured.samples.size() == 16);
}

TEST_CASE("points that cannot run, give wrong results or are always throttled are left out with the reason") {
    const auto registry = benchmarks({{"a", {1, 13, 99, 66}}});
    const Measurements measured =
        measure(jobs_of(registry, false, 1), {.rule = {.time_limit = Seconds(0.5)}, .rounds = 2}, seams());
    CHECK(measured.samples.size() == 2);
    std::map<std::int64_t, std::string> why;
    for (const LeftOut& one : measured.left_out) why[one.point.shape.m] = one.why;
    CHECK(why.size() == 3);
    CHECK(why.at(13) == "its result is wrong: 0.5 off the reference, 1e-06 allowed");
    CHECK(why.at(99) == "99 does not fit");
    CHECK(why.at(66) == "every reading was throttled");
    // What is wrong for good is not tried again; what was throttled is.
    CHECK(measured.left_out.size() == 4);
}

TEST_CASE("rounds after those of the plan measure what is asked for, until nothing is") {
    const auto registry = benchmarks({{"a", to_twelve}});
    const auto jobs = jobs_of(registry, false, 1);
    MeasuringSeams choosing = seams();
    choosing.next_round = [&](const Measurements& so_far) {
        return so_far.samples.size() < 26 ? std::vector<Job>{jobs[6]} : std::vector<Job>{};
    };
    const Measurements measured = measure(jobs, {.rounds = 2}, choosing);
    CHECK(measured.complete_rounds == 4);
    CHECK(sizes_of(measured, 1).size() == 12);
    CHECK(sizes_of(measured, 2) == std::vector<std::int64_t>{7});
    CHECK(sizes_of(measured, 3) == std::vector<std::int64_t>{7});
}

TEST_CASE("the points that tell most are those where the fit knows least") {
    // Products of one row were measured: memory bandwidth is known, arithmetic is not. A machine of 1 TFLOP/s, 100
    // GB/s.
    std::vector<Measured> samples;
    for (const std::int64_t n : {1024, 2048, 4096, 8192}) {
        Measured one{
            "gemm", 0, {.point = {.path = "p", .dtype = "fp32", .shape = {.m = 1, .n = n, .k = 1024, .ranks = 2}}}};
        one.sample.median = Seconds(static_cast<double>(n) * 4096 / 100e9 + 5e-6);
        samples.push_back(one);
    }
    std::vector<Job> candidates;
    for (const std::int64_t m : {1, 2, 2048, 4})
        candidates.push_back(
            {"gemm", nullptr, {.path = "p", .dtype = "fp32", .shape = {.m = m, .n = 4096, .k = 1024, .ranks = 2}}});
    candidates.push_back(
        {"gemm", nullptr, {.path = "p", .dtype = "bf16", .shape = {.m = 9, .n = 4096, .k = 1024, .ranks = 2}}});
    candidates.push_back({"launch", nullptr, {.kernel = KernelClass::launch, .path = "", .dtype = "fp32"}});
    const auto peaks = [](const std::string&) {
        return GpuPeaks{FlopPerSecond(1e12), BytesPerSecond(100e9), Bytes(1e7), 2};
    };
    const auto chosen = telling_points(candidates, samples, {"", "", "", "", 2}, peaks, 10);
    REQUIRE(chosen.size() == 4);  // neither a type nor a kernel without a fit
    CHECK(chosen.front().point.shape.m == 2048);
    CHECK(telling_points(candidates, samples, {"", "", "", "", 2}, peaks, 1).size() == 1);
    CHECK(telling_points(candidates, {}, {"", "", "", "", 2}, peaks, 10).empty());
}

TEST_CASE("samples are tables with the columns of other people's, and more") {
    Measured gemm{
        "gemm", 1, {.point = {.path = "eigen", .dtype = "bf16", .shape = {.m = 4, .n = 5, .k = 6, .ranks = 2}}}};
    gemm.sample.times = {Seconds(1.5e-3), Seconds(1.25e-3), Seconds(1.75e-3)};
    gemm.sample.median = Seconds(1.5e-3);
    gemm.sample.relative_half_width = 0.02;
    gemm.sample.discarded = 3;
    gemm.sample.clock_mhz = 2600;
    gemm.sample.error = 2e-7;
    Measured fewer = gemm;
    fewer.benchmark = "gemm-threads";
    fewer.sample.point.shape.ranks = 1;
    fewer.sample.timed_out = true;
    Measured decode{
        "attention-decode",
        0,
        {.point = {
             .kernel = KernelClass::attention_decode,
             .path = "x",
             .dtype = "bf16",
             .kv_dtype = "fp8",
             .shape = {.batch = 2, .query = 1, .kv = 300, .heads = 8, .kv_heads = 4, .head_dim = 64, .ranks = 2}}}};
    decode.sample.times = {Seconds(1e-5)};
    decode.sample.median = Seconds(1e-5);
    Measured reduce{"all-reduce",
                    0,
                    {.point = {.kernel = KernelClass::all_reduce,
                               .path = "ring",
                               .dtype = "fp16",
                               .shape = {.bytes = 1024, .ranks = 2}}}};
    reduce.sample.median = Seconds(2e-5);
    const std::vector<Measured> samples{gemm, fewer, decode, reduce};
    const auto tables = sample_tables(samples, {"me", "cpu-x", "eigen-3", "pairs", 2});
    REQUIRE(tables.size() == 4);
    CHECK(tables.at("gemm.csv") ==
          "source,gpu,framework,dtype,m,n,k,seconds,path,threads,cold,round,half_width,readings,discarded,disturbed,"
          "timed_out,"
          "drift,"
          "spikes,bimodal,clock_mhz,error,times\n"
          "me,cpu-x,eigen-3,bf16,4,5,6,0.0015,eigen,2,1,1,0.02,3,3,0,0,0,0,0,2600,2e-07,0.0015 0.00125 0.00175\n");
    CHECK(tables.at("gemm-threads.csv").find("\nme,cpu-x:1,eigen-3,") != std::string::npos);
    const Csv table = Csv::from_text(tables.at("attention-decode.csv"), "decode");
    CHECK(table.number(0, "kv_len") == 300);
    CHECK(table.number(0, "query_len") == 1);
    CHECK(table.text(0, "kv_dtype") == "fp8");
    CHECK(Csv::from_text(tables.at("gemm-threads.csv"), "threads").number(0, "timed_out") == 1);
    CHECK(Csv::from_text(tables.at("all-reduce.csv"), "reduce").text(0, "topology") == "pairs");
}

TEST_CASE("A model's weights take the place of the products' own, each number of rows and dtype once") {
    const KernelShape small{.m = 1, .n = 64, .k = 64}, large{.m = 1, .n = 128, .k = 64};
    const std::vector<KernelPoint> points{{.path = "a", .dtype = "fp32", .shape = small},
                                          {.path = "a", .dtype = "fp32", .shape = large},
                                          {.path = "a", .dtype = "bf16", .shape = small},
                                          {.path = "a", .dtype = "fp32", .shape = {.m = 8, .n = 64, .k = 64}},
                                          {.path = "a", .dtype = "fp32", .shape = {.m = 1, .n = 64, .ranks = 2}},
                                          {.kernel = KernelClass::memory, .path = "read", .dtype = "fp32"}};
    CHECK(with_weights(points, {}).size() == points.size());
    const std::vector<KernelPoint> changed = with_weights(points, {{10, 20}, {30, 40}});
    // Three pairs of rows and dtype with two weights each; the one on two threads and the memory stay.
    REQUIRE(changed.size() == 8);
    CHECK((changed[0].shape.n == 10 && changed[0].shape.k == 20));
    CHECK((changed[1].shape.n == 30 && changed[1].shape.k == 40 && changed[1].dtype == "fp32"));
    CHECK((changed[2].dtype == "bf16" && changed[4].shape.m == 8));
    CHECK((changed[6].shape.ranks == 2 && changed[6].shape.n == 64));
    CHECK(changed[7].kernel == KernelClass::memory);
}

TEST_CASE("The weights of a model by hand, whole and over two ranks") {
    // Llama-2-70B (Touvron et al. 2023): hidden 8192, 64 heads and 8 KV heads of 128, FFN 28672, vocabulary 32000:
    // [10240, 8192] for queries, keys and values, [8192, 8192] behind them, [57344, 8192] and [8192, 28672], the head.
    const Transformer& model = testing::library().models.at("llama-2-70b", "test");
    const std::vector<WeightShape> whole{{8192, 8192}, {8192, 28672}, {10240, 8192}, {32000, 8192}, {57344, 8192}};
    CHECK(weight_shapes(model, std::array{1}) == whole);
    const std::vector<WeightShape> halves{{5120, 8192}, {8192, 4096}, {8192, 14336}, {16000, 8192}, {28672, 8192}};
    CHECK(weight_shapes(model, std::array{2}) == halves);
    CHECK(weight_shapes(model, std::array{1, 2}).size() == 10);
    CHECK(weight_shapes(model, std::array{3}).empty());  // 64 heads
}

TEST_CASE("after each point what there is can be put by") {
    const auto registry = benchmarks({{"a", {1, 13, 2}}});
    MeasuringSeams saving = seams();
    std::vector<std::size_t> seen;
    saving.measured = [&](const Measurements& so_far) {
        seen.push_back(so_far.samples.size() + so_far.left_out.size());
        CHECK(so_far.took == machine_time);
    };
    const Measurements measured = measure(jobs_of(registry, false, 1), {.rounds = 2}, saving);
    // 13 is left out in the first round for good.
    CHECK(seen == std::vector<std::size_t>{1, 2, 3, 4, 5});
    CHECK(measured.samples.size() == 4);
}
