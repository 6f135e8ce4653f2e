// Asymptotes and laws of the kernel forms.
#include "model/cost/roofline.hpp"

#include <algorithm>
#include <cmath>

#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
using testing::deployment;

namespace {

/// The shipped A100 with constants of round numbers: half of 312 TFLOP/s and of the bandwidth, launches of 5 us.
struct Bench {
    Deployment deployed = deployment("llama-13b", "a100-80gb-sxm-8", 1);
    EfficiencyClass constants = *deployed.efficiency;
    Engine engine = *deployed.engine;
    Gpu gpu = *deployed.gpu;

    Bench() {
        constants.gemm = {{0.5}, {0.5}, {Seconds(5e-6)}, {2.0}};
        constants.prefill_attention = {{0.5}, {0.5}, {Seconds(5e-6)}, {Seconds(1e-6)}, {0.0}, {0.0}, {0.0}, {2.0}};
        constants.decode_attention = {{0.5}, {0.5}, {Seconds(5e-6)}, {Seconds(1e-6)}, {8.0}, {2.0}};
        constants.elementwise = {{0.5}, {Seconds(3e-6)}};
        constants.dequantization = {0.25};
        engine.kernel_efficiency.value = 1.0;
        deployed.efficiency = &constants;
        deployed.engine = &engine;
        deployed.gpu = &gpu;
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    [[nodiscard]] double seconds(const Operator& op) const { return KernelTimes(deployed).time(op).value(); }
    [[nodiscard]] double gemm(double m, double n, double k, Dtype weights = Dtype::fp16) const {
        return seconds(gemm_operator("gemm", "gemm", m, n, k, weights));
    }
};

Operator decode(double sequences, double context, double heads, double kv_heads) {
    Operator op{.name = "decode", .document_name = "decode", .kind = OperatorKind::decode_attention};
    op.sequences = op.m = sequences;
    op.heads = heads, op.kv_heads = kv_heads, op.head_dim = 128;
    op.work.flop = Flop(4 * context * heads * 128);
    op.work.bytes_written = Bytes(sequences * heads * 128 * 2);
    op.work.bytes_read = op.work.bytes_written + Bytes(context * 2 * kv_heads * 128 * 2);
    return op;
}

Operator prefill(double sequences, double query, double past, double heads) {
    Operator op{.name = "prefill", .document_name = "prefill", .kind = OperatorKind::prefill_attention};
    op.sequences = sequences, op.m = sequences * query, op.pairs = sequences * causal_pairs(query, past);
    op.heads = op.kv_heads = heads, op.head_dim = 128;
    op.work.flop = Flop(4 * op.pairs * heads * 128);
    return op;
}

}  // namespace

TEST_CASE("a huge GEMM takes its arithmetic over the peak and the efficiency") {
    const Bench bench;
    const double n = 65536;
    CHECK(bench.gemm(n, n, n) / (2 * n * n * n / 312e12) == Approx(1 / 0.5).epsilon(1e-3));
    // Half again with a dequantization of a quarter: 1.25 x the arithmetic.
    CHECK(bench.gemm(n, n, n, Dtype::awq_int4) / bench.gemm(n, n, n) == Approx(1.25).epsilon(1e-3));
    // INT8 runs at 624 TOP/s.
    CHECK(bench.gemm(n, n, n) / bench.gemm(n, n, n, Dtype::int8) == Approx(2).epsilon(1e-3));
}

TEST_CASE("one row takes the bytes of the weights over the bandwidth and the efficiency") {
    Bench bench;
    bench.constants.gemm.launch.value = Seconds(0);
    const double n = 16384, bandwidth = bench.gpu.memory_bandwidth.value.value();
    CHECK(bench.gemm(1, n, n) / (n * n * 2 / bandwidth) == Approx(1 / 0.5).epsilon(1e-3));
    // 66.5 bytes a group of 128 weights against 256.
    CHECK(bench.gemm(1, n, n, Dtype::awq_int4) / bench.gemm(1, n, n) == Approx(66.5 / 256).epsilon(1e-3));
    CHECK(bench.gemm(1, n, n, Dtype::int8) / bench.gemm(1, n, n) == Approx(0.5).epsilon(1e-3));
}

TEST_CASE("nothing is faster than its launch") {
    const Bench bench;
    CHECK(bench.gemm(1, 1, 1) == Approx(5e-6).epsilon(1e-3));
    CHECK(bench.seconds(elementwise_operator("e", "e", 2, 2)) == Approx(3e-6).epsilon(1e-3));
    CHECK(bench.seconds(decode(4, 4, 1, 1)) == Approx(9e-6).epsilon(1e-2));  // 1 us a sequence
    CHECK(KernelTimes(bench.deployed).bound(gemm_operator("g", "g", 1, 1, 1, Dtype::fp16)) == Bound::launch);
}

TEST_CASE("bytes of a GEMM counted by hand") {
    // [2, 3] x [3, 5]: 15 weights, 6 activations, 10 results.
    const Work half = gemm_operator("g", "g", 2, 5, 3, Dtype::fp16).work;
    CHECK(half.flop.value() == 60);
    CHECK(half.bytes_read.value() == 15 * 2 + 6 * 2);
    CHECK(half.bytes_written.value() == 20);
    // In 8 bit the activations are read at two bytes, written at one and read again.
    const Work eight = gemm_operator("g", "g", 2, 5, 3, Dtype::int8).work;
    CHECK(eight.bytes_read.value() == 15 + 6 * 2 + 6);
    CHECK(eight.bytes_written.value() == 20 + 6);
}

TEST_CASE("the knee lies between the larger part and the sum") {
    Bench bench;
    bench.constants.gemm.launch.value = Seconds(0);
    // m where arithmetic and bytes take as long: the p-norm of two equals is 2^(1/p) of one.
    const double n = 8192;
    const double bandwidth = bench.gpu.memory_bandwidth.value.value();
    // 2 m n^2 / 312e12 = (n^2 + 2 m n) 2 / bandwidth
    const double m = n * n * 2 / bandwidth / (2 * n * n / 312e12 - 4 * n / bandwidth);
    const double part = 2 * m * n * n / (312e12 * 0.5);
    for (const double sharpness : {1.0, 2.0, 4.0, 20.0}) {
        bench.constants.gemm.sharpness.value = sharpness;
        CHECK(bench.gemm(m, n, n) == Approx(part * std::exp2(1 / sharpness)).epsilon(1e-9));
    }
}

TEST_CASE("no shipped machine beats its data sheet, and more work takes longer") {
    for (const std::string& name : testing::library().nodes.names()) {
        const Deployment deployed = deployment("llama-13b", name, 1);
        const KernelTimes kernels(deployed);
        const Dtype dtype = deployed.gpu->supports(Dtype::fp16) ? Dtype::fp16 : Dtype::fp32;  // processors
        const double peak = deployed.gpu->peak_of(dtype).value.value();
        const double bandwidth = deployed.gpu->memory_bandwidth.value.value(), bytes = bytes_per_value(dtype);
        INFO(name);
        const auto time = [&](double m, double n, double k) {
            return kernels.time(gemm_operator("g", "g", m, n, k, dtype)).value();
        };
        for (double m = 1; m <= 16384; m *= 2) {
            for (const double n : {1024.0, 5120.0, 13824.0}) {
                const double now = time(m, n, 5120);
                CHECK(2 * m * n * 5120 / peak < now);
                CHECK((m * n + m * 5120 + n * 5120) * bytes / bandwidth < now);
                CHECK(time(m + 1, n, 5120) > now);
                CHECK(time(m, n + 1, 5120) > now);
                CHECK(time(m, n, 5121) > now);
            }
        }
    }
}

TEST_CASE("decode attention is affine in batch and context") {
    const Deployment deployed = deployment("llama-2-70b", "a100-80gb-sxm-8", 1);
    const KernelTimes kernels(deployed);
    const auto time = [&](double b, double context) { return kernels.time(decode(b, context, 64, 8)).value(); };
    const double per_context = (time(1, 2000) - time(1, 1000)) / 1000, per_sequence = time(2, 1000) - time(1, 1000);
    for (const double b : {1.0, 7.0, 300.0})
        for (const double context : {1.0, 5e3, 1e6})
            CHECK(time(b, context) ==
                  Approx(time(1, 1000) + (b - 1) * per_sequence + (context - 1000) * per_context).epsilon(1e-9));
}

TEST_CASE("decode attention reads its cache at the memory's speed, or pads its heads to a tile") {
    Bench bench;
    const double bandwidth = bench.gpu.memory_bandwidth.value.value();
    // Bytes-bound with a group of eight: 4096 B a token at half of the bandwidth.
    bench.constants.decode_attention.sharpness.value = 20;
    CHECK(bench.seconds(decode(1, 1e7, 64, 8)) == Approx(1e7 * 4096 / (bandwidth * 0.5)).epsilon(1e-3));
    // A group of one pads to eight: 64 heads of their own, 8 x 4 x 64 x 128 flop a token at half of the peak, less than
    // the 32 KiB a token take.
    CHECK(bench.seconds(decode(1, 1e6, 64, 64)) == Approx(1e6 * 32768 / (bandwidth * 0.5)).epsilon(1e-3));
    bench.constants.decode_attention.compute_efficiency.value = 0.005;
    CHECK(bench.seconds(decode(1, 1e6, 64, 64)) == Approx(1e6 * 8 * 4 * 64 * 128 / (312e12 * 0.005)).epsilon(1e-3));
}

TEST_CASE("prefill attention worked by hand") {
    const Bench bench;
    // One prompt of 1024 on 40 heads: 40 x 1024 x (1025 / 2 + 63.5) pairs of 512 flop, tiles 40 x 8 on 108
    // multiprocessors, half the peak, launch of 5 us and 1 us.
    const double flop = 512.0 * 40 * 1024 * (512.5 + 63.5);
    CHECK(bench.seconds(prefill(1, 1024, 0, 40)) == Approx(6e-6 + flop * (1 + 108.0 / 320) / 156e12).epsilon(1e-9));
}

// The context constant of the A30 class is five times a prompt of 128, so that on an all but empty GPU it dips by 2 %
// from 130 to 250 tokens.
TEST_CASE("longer prompts never take less") {
    const std::string a30 = "a30-24gb-pcie-8";
    for (const std::string& name : {std::string("a100-80gb-sxm-8"), a30, std::string("h200-141gb-sxm-8")}) {
        const Deployment deployed = deployment("llama-13b", name, 1);
        const KernelTimes kernels(deployed);
        for (const double past : {0.0, 1000.0})
            for (const double heads : {10.0, 40.0}) {
                double before = 0;
                for (double query = 1; query < 5000; query = std::ceil(query * 1.05)) {
                    INFO(name << " query " << query << " past " << past << " heads " << heads);
                    const double now = kernels.time(prefill(1, query, past, heads)).value();
                    CHECK(now >= before * (name == a30 ? 0.99 : 1.0));
                    if (past > 0) CHECK(kernels.time(prefill(1, query, past + 64, heads)).value() >= now);
                    CHECK(kernels.time(prefill(2, query, past, heads)).value() > now);
                    before = now;
                }
            }
    }
}

TEST_CASE("the parts of a chunked prompt are work for the whole one") {
    // Pairs are conserved, so an efficient long prompt costs as much in chunks but for launches and tile edges.
    const Bench bench;
    const double whole = bench.seconds(prefill(1, 16384, 0, 40));
    double chunks = 0;
    for (double past = 0; past < 16384; past += 2048) chunks += bench.seconds(prefill(1, 2048, past, 40));
    CHECK(chunks / whole > 1.0);
    CHECK(chunks / whole < 1.2);
}

TEST_CASE("a forecast is as good as its weakest constant") {
    Bench bench;
    KernelTimes before(bench.deployed);
    CHECK(before.origin() == Origin::estimated);
    bench.constants.gemm.launch.origin = Origin::extrapolated;
    CHECK(KernelTimes(bench.deployed).origin() == Origin::extrapolated);
}

TEST_CASE("attention that is not fused moves the scores of all pairs, masked ones too") {
    Bench bench;
    const Operator op = prefill(2, 512, 512, 32);
    const double fused = bench.seconds(op);
    bench.engine.score_bytes.value = Bytes(24);
    // 24 B for 2 x 512 queries, 1024 keys and 32 heads at half of 2039 GB/s: 0.79 ms, which the form adds to its
    // products as it adds the memory's time.
    const double scores = 24.0 * 2 * 512 * 1024 * 32 / (0.5 * bench.gpu.memory_bandwidth.value.value());
    CHECK(bench.seconds(op) > fused);
    CHECK(bench.seconds(op) < fused + scores);
    CHECK(bench.seconds(op) > 5e-6 + scores);
}

TEST_CASE("heads that read the cache apart take it from L2 once each") {
    Bench bench;
    const double shared = bench.seconds(decode(64, 64 * 4096, 32, 4)),
                 own = bench.seconds(decode(64, 64 * 4096, 32, 32));
    bench.engine.heads_read_apart = true;
    CHECK(bench.seconds(decode(64, 64 * 4096, 32, 32)) == own);
    // Eight heads read 64 x 4096 tokens of 2 KiB from L2, 26 B a clock on 108 multiprocessors at 1.41 GHz: 1.09 ms,
    // where memory takes 0.53 at half its rate.
    const double l2 = 8.0 * 64 * 4096 * 2 * 4 * 128 * 2 / (26 * 108 * 1.41e9);
    CHECK(bench.seconds(decode(64, 64 * 4096, 32, 4)) > l2);
    CHECK(bench.seconds(decode(64, 64 * 4096, 32, 4)) < 1.1 * l2 + 80e-6);
    CHECK(shared < l2);
}

TEST_CASE("fp16 products summed in fp16 take a GeForce's rate for them") {
    Bench bench;
    bench.gpu.half_sum_peak = {FlopPerSecond(624e12)};
    const double usual = bench.gemm(8192, 8192, 8192);
    CHECK(bench.gemm(8192, 8192, 8192, Dtype::bf16) == Approx(usual).epsilon(0.01));
    bench.engine.half_sums = true;
    CHECK(bench.gemm(8192, 8192, 8192) < 0.55 * usual);
    CHECK(bench.gemm(8192, 8192, 8192, Dtype::bf16) == Approx(usual).epsilon(0.01));
    bench.gpu.half_sum_peak.reset();
    CHECK(bench.gemm(8192, 8192, 8192) == usual);
}
