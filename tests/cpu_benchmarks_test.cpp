#include <cmath>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>

#include "calibrate/cpu/benchmarks.hpp"
#include "calibrate/host/host_kernel.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

/// A small point of every kind that a benchmark has, on two threads.
std::vector<KernelPoint> small_points(const std::string& name) {
    const auto attention = [](std::int64_t batch, std::int64_t query, std::int64_t kv, const std::string& dtype) {
        return KernelPoint{
            .kernel = query == 1 ? KernelClass::attention_decode : KernelClass::attention_prefill,
            .path = "online-softmax",
            .dtype = dtype,
            .kv_dtype = dtype,
            .shape = {.batch = batch, .query = query, .kv = kv, .heads = 6, .kv_heads = 2, .head_dim = 64, .ranks = 2}};
    };
    if (name == "attention_decode")
        return {attention(3, 1, 1, "fp32"), attention(2, 1, 300, "bf16"), attention(1, 1, 129, "fp16")};
    if (name == "attention_prefill")
        return {attention(2, 70, 70, "fp32"), attention(1, 130, 391, "bf16"), attention(1, 64, 64, "fp16"),
                attention(1, 3, 500, "int8")};
    if (name.starts_with("gemm")) {
        std::vector<KernelPoint> points;
        for (const std::string dtype : {"fp32", "fp16", "bf16", "int8"})
            for (const std::int64_t m : {1, 2, 5, 19, 70})
                points.push_back({.path = "eigen", .dtype = dtype, .shape = {.m = m, .n = 75, .k = 130, .ranks = 2}});
        return points;
    }
    std::vector<KernelPoint> points;
    std::set<std::string> paths;
    for (KernelPoint point : cpu_benchmarks().find(name)->points(true)) {
        point.shape.ranks = 2;
        if (point.kernel == KernelClass::memory) point.shape.bytes = 40000;
        if (point.kernel == KernelClass::elementwise) point.shape.m = 3;
        if (paths.insert(point.path).second) points.push_back(point);
    }
    return points;
}

}  // namespace

TEST_CASE("every benchmark of the processor gives what its double-precision reference gives") {
    for (const InstructionSet& set : instruction_sets()) {
        if (!set.available) continue;
        for (const auto& [name, benchmark] : cpu_benchmarks())
            for (KernelPoint point : small_points(name)) {
                point.instructions = set.name;
                const auto kernel = benchmark.prepare(point);
                INFO(set.name << " " << name << " " << point.path << " " << point.dtype << " m " << point.shape.m
                              << " kv " << point.shape.kv);
                const double error = kernel->error();
                CHECK(error <= kernel->tolerance());
                // Something was compared; a copy is exact, and so is a mean of one value.
                if (point.kernel != KernelClass::launch && point.path != "copy" && point.shape.kv != 1)
                    CHECK(error > 0);
                const Reading reading = kernel->run();
                CHECK(reading.elapsed > Seconds(0));
                CHECK(reading.clock_mhz > 10);
            }
    }
}

TEST_CASE("a quick measurement has some points of all benchmarks, a full one has those and more") {
    for (const auto& [name, benchmark] : cpu_benchmarks()) {
        INFO(name);
        const auto quick = benchmark.points(true), full = benchmark.points(false);
        CHECK_FALSE(quick.empty());
        CHECK(quick.size() <= full.size());
    }
}

TEST_CASE("the parts of all threads are the whole, in grains") {
    for (const int threads : {1, 2, 3, 7})
        for (const std::int64_t count : {1, 5, 32, 75, 1000}) {
            std::int64_t next = 0;
            for (int thread = 0; thread < threads; ++thread) {
                const Part part = part_of(count, 16, thread, threads);
                CHECK(part.first == next);
                CHECK((part.first % 16 == 0 || part.first == count));
                next = part.last;
            }
            CHECK(next == count);
        }
}

TEST_CASE("narrow numbers are read as what they stand for") {
    // IEEE 754 half: 0x3C00 is 1, 0xC000 is -2, 0x3555 is 0.333251953125, 0x0001 the least subnormal 2^-24.
    const std::vector<std::uint16_t> halves{0x3C00, 0xC000, 0x3555, 0x0001, 0x0000};
    CHECK(number_at(halves.data(), NumberType::fp16, 0) == 1.0);
    CHECK(number_at(halves.data(), NumberType::fp16, 1) == -2.0);
    CHECK(number_at(halves.data(), NumberType::fp16, 2) == 0.333251953125);
    CHECK(number_at(halves.data(), NumberType::fp16, 3) == std::ldexp(1.0, -24));
    CHECK(number_at(halves.data(), NumberType::fp16, 4) == 0.0);
    // bfloat16 is the upper half of an fp32: 0x3F80 is 1, 0xC040 is -3.
    const std::vector<std::uint16_t> brains{0x3F80, 0xC040};
    CHECK(number_at(brains.data(), NumberType::bf16, 0) == 1.0);
    CHECK(number_at(brains.data(), NumberType::bf16, 1) == -3.0);
    const std::vector<std::int8_t> bytes{-128, 127};
    CHECK(number_at(bytes.data(), NumberType::int8, 0) == -128.0);
    CHECK(number_at(bytes.data(), NumberType::int8, 1) == 127.0);
    CHECK_THROWS_AS(number_type("fp4"), std::runtime_error);
}

TEST_CASE("the ring of operands gives parts that do not overlap until it begins again") {
    OperandRing& ring = OperandRing::shared();
    const std::size_t third = ring.bytes() / 3;
    const auto* first = static_cast<const unsigned char*>(ring.next(third));
    const auto* second = static_cast<const unsigned char*>(ring.next(third));
    CHECK((second >= first + third || second + third <= first));
    CHECK(reinterpret_cast<std::uintptr_t>(second) % 64 == 0);
    CHECK_THROWS_AS(ring.next(ring.bytes() + 1), std::runtime_error);
    float number = 0;
    std::memcpy(&number, second, sizeof number);
    CHECK(std::abs(number) >= 0.5F);
    CHECK(std::abs(number) < 2.0F);
}

TEST_CASE("a team works on all threads at once and waits for all") {
    ThreadTeam team(3);
    std::set<std::thread::id> workers;
    std::mutex guard;
    for (int i = 0; i < 50; ++i) {
        std::atomic<int> sum{0};
        const TeamTime time = team.run([&](int thread) {
            sum += 1 << thread;
            const std::lock_guard lock(guard);
            workers.insert(std::this_thread::get_id());
        });
        CHECK(sum == 7);
        CHECK(time.elapsed > Seconds(0));
    }
    CHECK(workers.size() == 3);
}
