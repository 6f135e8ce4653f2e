#include "scenarios/instance_run.hpp"

#include "scenarios/protocols.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

/// LLaMA2-70B on four A100 under users that think for two seconds, prompts of 200 and answers of 101 tokens.
struct Bench {
    Bench() : deployment(plimsoll::testing::deployment("llama-2-70b", "a100-40gb-sxm-8", 8)) {
        workload.prompt = Distribution::fixed(200.0);
        workload.output = Distribution::fixed(101.0);
    }
    [[nodiscard]] InstanceMeans run(const InstanceLoad& load) const {
        return InstanceRunner(instance, workload, Distribution::fixed(2.0)).run(load);
    }
    Deployment deployment;
    Instance instance{deployment};
    const StepCost& cost = instance.cost();
    Workload workload;
};

}  // namespace

TEST_CASE("One user drains a queue alone: a prefill, the decode steps, a pause") {
    const Bench bench;
    const InstanceMeans means = bench.run({.users = 1, .requests = 10, .ramp = Seconds(1.0)});
    const Seconds prefill = bench.cost.prefill(1, 200, causal_pairs(200, 0));
    Seconds decode;
    for (int i = 1; i <= 100; ++i) decode += bench.cost.decode(1, 200.0 + i);
    CHECK(means.ttft.value() == Approx(prefill.value()).epsilon(1e-9));
    CHECK(means.tpot.value() == Approx(decode.value() / 100).epsilon(1e-9));
    // Ten answers and nine pauses; the user starts at 0.
    CHECK(means.request_rate.value() == Approx(10 / (10 * (prefill + decode).value() + 9 * 2.0)).epsilon(1e-9));
}

TEST_CASE("In steady state users = rate x (TTFT + 100 TPOT + pause), and more users wait longer") {
    const Bench bench;
    for (const std::uint32_t users : {5u, 60u}) {
        const InstanceMeans steady =
            bench.run({.users = users, .steady_state = true, .requests = 20 * std::uint64_t{users}, .runs = 2});
        const double cycle = steady.ttft.value() + 100 * steady.tpot.value() + 2.0;
        CHECK(steady.request_rate.value() * cycle == Approx(users).epsilon(0.03));
    }
    const InstanceMeans few = bench.run({.users = 5, .requests = 120, .runs = 2});
    const InstanceMeans many = bench.run({.users = 60, .requests = 120, .runs = 2});
    CHECK(many.ttft > few.ttft);
    CHECK(many.tpot > few.tpot);
}

TEST_CASE("Both protocols are compared on rows with printed lengths only") {
    const Csv table = Csv::from_text(
        "model,gpu,gpu_mem_gb,link,tp,load,prompt_tokens,output_tokens,lengths_inferred,users,ttft_s,tpot_s,"
        "request_rate_per_s,token_rate_printed\n"
        "llama2-70b,A100,40,nvlink,8,chat,237.4,173.5,no,40,2.6,0.1,,347\n"
        "llama-65b,A100,40,nvlink,8,chat,237.4,230.5,yes,40,2.16,0.088,8.9,6978\n",
        "sample");
    ValidationAssumptions assumptions;
    assumptions.requests = 60;
    Catalog& catalog = plimsoll::testing::library();
    const ProtocolComparison comparison = compare_protocols(table, assumptions, catalog);
    REQUIRE(comparison.rows.size() == 1);
    const ProtocolRow& row = comparison.rows[0];
    CHECK(row.requests == 80);  // twice the users
    // 347 output tokens a second of answers of 173.5.
    CHECK(row.rate_from_tokens);
    CHECK(row.values[2].measured.value() == Approx(2.0));
    CHECK(row.values[2].drain.value() < row.values[2].steady.value());
    CHECK(comparison.summary[0].drain.n == 1);
    CHECK(comparison.explained.size() == 3);
    // A row of the validation itself is the same run.
    CHECK(validate(table, assumptions, catalog).rows[0].values[0].predicted == row.values[0].drain);
}

TEST_CASE("The documents' rows with printed lengths are explained by their short runs, not by the steady state") {
    const auto file = plimsoll::testing::measurements("source_documents/serving_matrix.csv");
    if (!file) {
        WARN("skipped: the documents' table is not here (PLIMSOLL_SHARED)");
        return;
    }
    Catalog& catalog = plimsoll::testing::library();
    const ValidationAssumptions assumptions = read_assumptions(
        Fields::from_file(PLIMSOLL_SOURCE_DIR "/scenarios/library/assumptions/serving-matrix-2023.json"), catalog);
    const ProtocolComparison comparison = compare_protocols(Csv::from_file(*file), assumptions, catalog);
    CHECK(comparison.rows.size() == 19);
    const auto& [ttft, tpot, rate] = comparison.summary;
    CHECK(ttft.drain.median < 0.20);
    CHECK(ttft.drain.median < ttft.steady.median);
    CHECK(ttft.drain_nearer >= 12);
    CHECK(tpot.drain.median < 0.10);
    CHECK(rate.drain.median < 0.25);
    CHECK(rate.drain_nearer >= 15);
}

TEST_CASE("A benchmark that divides by all tokens of an answer shows a TPOT lower by one token's share") {
    const Bench bench;
    const InstanceLoad load{.users = 1, .requests = 10, .ramp = Seconds(1.0)};
    InstanceLoad over_all = load;
    over_all.tpot_over_tokens = true;
    // Answers of 101 tokens: 100 gaps over 101 tokens.
    CHECK(bench.run(over_all).tpot.value() == Approx(bench.run(load).tpot.value() * 100 / 101).epsilon(1e-12));
    CHECK(bench.run(over_all).ttft == bench.run(load).ttft);
}
