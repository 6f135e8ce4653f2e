#include <algorithm>
#include <cstdio>

#include "calibrate/cuda/attention.hpp"
#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/decoder_step.hpp"
#include "calibrate/cuda/device.hpp"
#include "calibrate/cuda/one_shot.hpp"

namespace plimsoll::cuda {
namespace {

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
}

std::string name_of(const std::string& bench, const KernelPoint& p) {
    std::string name = bench + " " + p.path + " " + p.dtype;
    const KernelShape& s = p.shape;
    const std::pair<const char*, std::int64_t> sizes[] = {{"m", s.m},
                                                          {"n", s.n},
                                                          {"k", s.k},
                                                          {"batch", s.batch},
                                                          {"query", s.query},
                                                          {"kv", s.kv},
                                                          {"heads", s.heads},
                                                          {"kv_heads", s.kv_heads},
                                                          {"head_dim", s.head_dim},
                                                          {"experts", s.experts},
                                                          {"top_k", s.top_k},
                                                          {"bytes", s.bytes},
                                                          {"ranks", s.ranks}};
    for (const auto& [letter, value] : sizes)
        if (value != 0) name += std::string(" ") + letter + "=" + std::to_string(value);
    return name;
}

KernelPoint point_of(KernelClass kernel, const char* path, const char* dtype, const KernelShape& shape) {
    const bool attention = kernel == KernelClass::attention_prefill || kernel == KernelClass::attention_decode;
    return {kernel, path, dtype, attention ? dtype : "", shape, false};
}

KernelShape attention(std::int64_t batch, std::int64_t query, std::int64_t kv, std::int64_t heads,
                      std::int64_t kv_heads, std::int64_t head_dim) {
    KernelShape shape;
    shape.batch = batch;
    shape.query = query;
    shape.kv = kv;
    shape.heads = heads;
    shape.kv_heads = kv_heads;
    shape.head_dim = head_dim;
    return shape;
}

KernelShape matrix(std::int64_t m, std::int64_t n, std::int64_t k = 0) {
    KernelShape shape;
    shape.m = m;
    shape.n = n;
    shape.k = k;
    return shape;
}

using Cases = std::vector<std::pair<std::string, KernelPoint>>;

/// Whole and partial tiles, one key more and one less than a tile, all head dimensions and ratios of heads.
void add_attention(Cases& cases, const char* dtype) {
    for (const std::int64_t head_dim : {64, 128, 256}) {
        for (const auto& [query, kv] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                                        {63, 63},
                                        {64, 64},
                                        {65, 65},
                                        {128, 128},
                                        {129, 129},
                                        {500, 500},
                                        {17, 300},
                                        {128, 1000},
                                        {1, 257}})
            for (const char* const path : {"mma", "wgmma"})
                if (path[0] == 'm' || prefill_by_groups_exists(static_cast<int>(head_dim)))
                    cases.emplace_back("attention_prefill",
                                       point_of(KernelClass::attention_prefill, path, dtype,
                                                attention(2, query, kv, 8, query % 2 == 0 ? 2 : 8, head_dim)));
        for (const auto& [kv, kv_heads] : {std::pair<std::int64_t, std::int64_t>{1, 8},
                                           {15, 8},
                                           {16, 2},
                                           {17, 1},
                                           {33, 4},
                                           {257, 1},
                                           {1000, 2},
                                           {4096, 8},
                                           {20000, 1}})
            cases.emplace_back("attention_decode", point_of(KernelClass::attention_decode, "paged", dtype,
                                                            attention(3, 1, kv, 8, kv_heads, head_dim)));
        // More heads in a group than a tile has rows.
        cases.emplace_back("attention_decode", point_of(KernelClass::attention_decode, "paged", dtype,
                                                        attention(2, 1, 700, 40, 2, head_dim)));
    }
}

Cases cases() {
    Cases result;
    const int capability = device_limits().capability;
    std::vector<const char*> types{"fp16"};
    if (capability >= 80) types.push_back("bf16");
    for (const char* const dtype : types) {
        add_attention(result, dtype);
        for (const char* const path : {"rms_norm", "add_rms_norm", "silu_mul", "rope", "kv_write"})
            for (const std::int64_t m : {1, 3, 100})
                result.emplace_back("elementwise",
                                    point_of(KernelClass::elementwise, path, dtype, matrix(m, m == 3 ? 128 : 4096)));
    }
    std::vector<const char*> narrow;
    if (capability >= 75) narrow.push_back("int8");
    if (capability >= 89) narrow.push_back("fp8");
    // The library may have no product of fewer than 16 rows of one byte.
    for (const char* const dtype : narrow)
        for (const std::int64_t m : {16, 256})
            result.emplace_back("gemm", point_of(KernelClass::gemm, "cublaslt", dtype, matrix(m, 512, 1024)));
    for (const char* const dtype : types)
        for (const std::int64_t m : {1, 17, 256})
            result.emplace_back("gemm", point_of(KernelClass::gemm, "cublaslt", dtype, matrix(m, 512, 1024)));
    for (const auto& [name, bench] : benches()) {
        if (name == "gemm" || name == "elementwise" || name.rfind("attention", 0) == 0) continue;
        const auto points = bench.points(true);
        for (std::size_t i = 0; i < std::min<std::size_t>(points.size(), 12); ++i) {
            if (points[i].shape.bytes > (std::int64_t{64} << 20)) continue;
            result.emplace_back(name, points[i]);
        }
    }
    return result;
}

/// Runs it by itself and through the graph that the timing uses, comparing both outputs.
CheckResult check_kernel(std::string what, const std::function<std::unique_ptr<PreparedKernel>()>& prepare) {
    CheckResult result{std::move(what), false, ""};
    try {
        const auto kernel = prepare();
        const double first = kernel->error();
        static bool timed = true;  // under a checker, all is too slow for the gate: one attempt says so
        std::string time = "not timed";
        try {
            if (timed) time = number(kernel->run().elapsed.value()) + " s";
        } catch (const std::runtime_error& problem) {
            timed = false;
            time += std::string(", nor will be others: ") + problem.what();
        }
        const double error = std::max(first, kernel->error());
        result.passed = error <= kernel->tolerance();
        result.found = "error " + number(error) + " of " + number(kernel->tolerance()) + ", " + time;
    } catch (const DeviceLost& problem) {
        throw DeviceLost(result.what + ": " + problem.what());
    } catch (const std::runtime_error& problem) {
        result.found = problem.what();
    }
    return result;
}

/// Whole steps of two small layers, the referee of the kernels' sequence.
std::vector<CheckResult> check_steps() {
    const std::string dtype = device_limits().capability >= 80 ? "bf16" : "fp16";
    const DecoderShape model{"small", 2, 256, 8, 2, 64, 512};
    std::vector<CheckResult> results;
    for (const auto& [query, kv] :
         {std::pair<std::int64_t, std::int64_t>{1, 77}, {1, 2}, {1, 300}, {40, 40}, {130, 130}})
        results.push_back(
            check_kernel("decoder step of 3 sequences, query " + std::to_string(query) + ", kv " + std::to_string(kv),
                         [&, query = query, kv = kv] {
                             return prepare_decoder_step({model, dtype, 3, query, kv});
                         }));
    return results;
}

/// Four ranks of the one-shot all-reduce side by side on one device, two rounds with other data in the second.
CheckResult check_one_shot(std::size_t count) {
    constexpr int ranks = 4;
    CheckResult result{"one-shot all-reduce of 4 ranks on one device, " + std::to_string(count) + " elements", false,
                       ""};
    try {
        std::vector<DeviceMemory> inputs, outputs, flags;
        OneShot exchange;
        exchange.count = count;
        exchange.ranks = ranks;
        double worst = 0;
        for (int rank = 0; rank < ranks; ++rank) {
            flags.emplace_back(OneShot::flag_words() * sizeof(unsigned));
            check(cudaMemset(flags.back().as(), 0, flags.back().bytes()), "clear");
            outputs.emplace_back(count * 2);
            exchange.outputs[rank] = outputs.back().as();
            exchange.flags[rank] = flags.back().as<unsigned>();
        }
        for (const std::uint64_t round : {0, 1}) {
            inputs.clear();
            std::vector<double> sums(count);
            for (int rank = 0; rank < ranks; ++rank) {
                inputs.push_back(random_values(Dtype::fp16, count, 10 * round + static_cast<std::uint64_t>(rank)));
                exchange.inputs[rank] = inputs.back().as();
                poison(outputs[static_cast<std::size_t>(rank)]);
                const auto mine = numbers(Dtype::fp16, inputs.back().as(), count);
                std::transform(sums.begin(), sums.end(), mine.begin(), sums.begin(), std::plus<>{});
            }
            one_shot_all_reduce(Dtype::fp16, exchange, 0, ranks, nullptr);
            check(cudaDeviceSynchronize(), "one-shot all-reduce");
            for (const auto& output : outputs)
                worst = std::max(worst, relative_deviation(numbers(Dtype::fp16, output.as(), count), sums));
        }
        constexpr double most = 1e-3;
        result.passed = worst <= most;
        result.found = "error " + number(worst) + " of " + number(most);
    } catch (const std::runtime_error& problem) {
        result.found = problem.what();
    }
    return result;
}

/// Median of some readings.
double seconds_of(const std::string& bench, const KernelPoint& point) {
    const auto kernel = benches().at(bench, "bench", "check").prepare(point);
    std::vector<double> seconds;
    for (int i = 0; i < 15; ++i) seconds.push_back(kernel->run().elapsed.value());
    std::nth_element(seconds.begin(), seconds.begin() + 7, seconds.end());
    return seconds[7];
}

double copy_rate() {
    KernelShape shape;
    shape.bytes =
        std::min<std::int64_t>(std::int64_t{1} << 32, static_cast<std::int64_t>(device_limits().memory_bytes / 4));
    return static_cast<double>(shape.bytes) / seconds_of("memory", point_of(KernelClass::memory, "copy", "", shape));
}

double product_rate(const char* dtype) {
    constexpr std::int64_t size = 8192;
    const KernelPoint product = point_of(KernelClass::gemm, "cublaslt", dtype, matrix(size, size, size));
    return 2.0 * size * size * size / seconds_of("gemm", product);
}

CheckResult check_decode_rate(const char* dtype, std::int64_t kv_heads) {
    const std::int64_t batch = device_limits().memory_bytes > (std::size_t{30} << 30) ? 16 : 4;
    KernelPoint decode =
        point_of(KernelClass::attention_decode, "paged", dtype, attention(batch, 1, 16384, 32, kv_heads, 128));
    decode.cold = true;
    const double read = 4.0 * static_cast<double>(batch) * 16384 * static_cast<double>(kv_heads) * 128;
    const double rate = read / seconds_of("attention_decode", decode), copy = copy_rate();
    return {"rate: " + name_of("attention_decode", decode), rate >= 0.8 * copy,
            number(rate * 1e-9) + " GB/s, " + number(100 * rate / copy) + " % of a copy's " + number(copy * 1e-9)};
}

CheckResult check_prefill_rate(const char* dtype, const char* path, std::int64_t kv_heads) {
    const KernelPoint prefill =
        point_of(KernelClass::attention_prefill, path, dtype, attention(4, 4096, 4096, 32, kv_heads, 128));
    const double flop = 4.0 * 4 * 32 * 128 * 4096.0 * 4097 / 2;
    const double rate = flop / seconds_of("attention_prefill", prefill), product = product_rate(dtype);
    return {"rate: " + name_of("attention_prefill", prefill), rate >= 0.4 * product,
            number(rate * 1e-12) + " TFLOP/s, " + number(100 * rate / product) + " % of a product's " +
                number(product * 1e-12)};
}

/// Decode attention reads its cache at 80 % of the rate of a copy at least, prefill attention computes at 40 % of the
/// rate of a large product at 4096 tokens at least.
void check_rates(const std::function<void(const CheckResult&)>& report) {
    const char* const dtype = device_limits().capability >= 80 ? "bf16" : "fp16";
    const auto guarded = [&](const char* what, const std::function<CheckResult()>& rate) {
        try {
            report(rate());
        } catch (const std::runtime_error& problem) {
            report({std::string("rate: ") + what, false, problem.what()});
        }
    };
    for (const std::int64_t kv_heads : {8, 32})
        guarded("attention_decode", [&] { return check_decode_rate(dtype, kv_heads); });
    const std::string path = prefill_path(dtype_of(dtype), 128);
    for (const std::int64_t kv_heads : {8, 32})
        guarded("attention_prefill", [&] { return check_prefill_rate(dtype, path.c_str(), kv_heads); });
    if (path == "mma") return;
    guarded("attention_prefill", [&] {
        CheckResult other = check_prefill_rate(dtype, "mma", 8);
        other.passed = true;
        other.found += ", for comparison";
        return other;
    });
}

}  // namespace

void check_kernels(const std::vector<std::string>& only, bool rates,
                   const std::function<void(const CheckResult&)>& report) {
    for (const std::string& name : only) static_cast<void>(benches().at(name, "bench", "--only"));
    for (const auto& [bench, point] : cases()) {
        if (!only.empty() && std::find(only.begin(), only.end(), bench) == only.end()) continue;
        report(check_kernel(name_of(bench, point), [bench = bench, point = point] {
            return benches().at(bench, "bench", "check").prepare(point);
        }));
    }
    if (only.empty()) {
        for (const auto& result : check_steps()) report(result);
        for (const std::size_t count : {8, 5000, 40000}) report(check_one_shot(count));
    }
    if (rates) check_rates(report);
}

}  // namespace plimsoll::cuda
