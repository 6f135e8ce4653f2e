#include <cmath>
#include <string>
#include <vector>

#include "calibrate/cuda/attention.hpp"
#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/decoder_step.hpp"
#include "calibrate/cuda/device.hpp"
#include "tests/catch.hpp"
#include "tests/emulated_device/emulator.hpp"

// The kernels of calibrate/cuda, compiled as C++, on an emulated device (tests/emulated_device): what they compute,
// whether they touch memory that is not theirs (the program would end), whether a barrier is missing.

namespace plimsoll {
void register_emulated_attention_decode(Registry<Microbenchmark>& registry);
void register_emulated_attention_prefill(Registry<Microbenchmark>& registry);
void register_emulated_elementwise(Registry<Microbenchmark>& registry);
void register_emulated_memory(Registry<Microbenchmark>& registry);
void register_emulated_moe(Registry<Microbenchmark>& registry);
void register_emulated_sampling(Registry<Microbenchmark>& registry);
}  // namespace plimsoll

using namespace plimsoll;
using namespace plimsoll::cuda;

namespace {

struct Sizes {
    int batch, query, kv, heads, kv_heads, head_dim;
};

std::size_t count_of(const Sizes& s, int tokens, int heads) {
    return static_cast<std::size_t>(s.batch) * static_cast<std::size_t>(tokens) * static_cast<std::size_t>(heads) *
           static_cast<std::size_t>(s.head_dim);
}

/// Causal attention in double precision; `place`: element where the key or value of a sequence's token starts.
template <class Place>
std::vector<double> reference(const Sizes& s, const std::vector<double>& q, const std::vector<double>& k,
                              const std::vector<double>& v, Place&& place) {
    const auto head_dim = static_cast<std::size_t>(s.head_dim);
    std::vector<double> o;
    for (int token = 0; token < s.batch * s.query; ++token)
        for (int head = 0; head < s.heads; ++head) {
            const int sequence = token / s.query, seen = s.kv - s.query + token % s.query + 1;
            const double* const of_q = q.data() + static_cast<std::size_t>(token * s.heads + head) * head_dim;
            const auto shared = static_cast<std::size_t>(head / (s.heads / s.kv_heads)) * head_dim;
            std::vector<double> out(head_dim);
            double sum = 0;
            for (int t = 0; t < seen; ++t) {
                const std::size_t at = place(sequence, t) + shared;
                double score = 0;
                for (std::size_t d = 0; d < head_dim; ++d) score += of_q[d] * k[at + d];
                const double weight = std::exp(score / std::sqrt(static_cast<double>(s.head_dim)));
                sum += weight;
                for (std::size_t d = 0; d < head_dim; ++d) out[d] += weight * v[at + d];
            }
            for (const double value : out) o.push_back(value / sum);
        }
    return o;
}

std::vector<std::uint64_t> seeds(Dtype dtype) {
    return dtype == Dtype::bf16 ? std::vector<std::uint64_t>{1, 2} : std::vector<std::uint64_t>{3};
}

struct Operands {
    DeviceMemory q, k, v, o;
    Operands(const Sizes& s, Dtype dtype, std::size_t kv_values)
        : q(random_values(dtype, count_of(s, s.query, s.heads), 1, 2.0F)),
          k(random_values(dtype, kv_values, 2, 2.0F)),
          v(random_values(dtype, kv_values, 3)),
          o(count_of(s, s.query, s.heads) * 2) {
        poison(o);
    }
};

using Prefill = void (*)(Dtype, const PrefillArguments&, cudaStream_t);

double prefill_error(const Sizes& s, Dtype dtype, Prefill kernel) {
    const std::size_t kv_values = count_of(s, s.kv, s.kv_heads);
    const Operands data(s, dtype, kv_values);
    PrefillArguments a;
    a.q = data.q.as();
    a.k = data.k.as();
    a.v = data.v.as();
    a.o = data.o.as();
    a.batch = s.batch;
    a.query = s.query;
    a.kv = s.kv;
    a.heads = s.heads;
    a.kv_heads = s.kv_heads;
    a.head_dim = s.head_dim;
    a.q_row = s.heads * s.head_dim;
    a.kv_row = s.kv_heads * s.head_dim;
    kernel(dtype, a, nullptr);
    const auto q = numbers(dtype, a.q, count_of(s, s.query, s.heads));
    const auto place = [&](int sequence, int t) {
        return static_cast<std::size_t>(sequence * s.kv + t) * static_cast<std::size_t>(a.kv_row);
    };
    const auto expected = reference(s, q, numbers(dtype, a.k, kv_values), numbers(dtype, a.v, kv_values), place);
    return relative_deviation(numbers(dtype, a.o, expected.size()), expected);
}

/// `splits`: 0 for the kernel's own choice.
double decode_error(const Sizes& s, Dtype dtype, int splits, int page_tokens) {
    const int pages = (s.kv + page_tokens - 1) / page_tokens, all_pages = pages * s.batch + 3;
    const auto page_values = static_cast<std::size_t>(page_tokens * s.kv_heads * s.head_dim);
    const Operands data(s, dtype, static_cast<std::size_t>(all_pages) * page_values);
    std::vector<std::int32_t> table;
    // In no order: 5 and the number of pages have no factor in common, or the last one is left out.
    const int order = all_pages % 5 == 0 ? all_pages - 1 : all_pages;
    for (int i = 0; i < pages * s.batch; ++i) table.push_back((i * 5 + 2) % order);
    const DeviceMemory on_device = to_device(table);
    DecodeArguments a;
    a.q = data.q.as();
    a.k_pages = data.k.as();
    a.v_pages = data.v.as();
    a.o = data.o.as();
    a.table = on_device.as<std::int32_t>();
    a.batch = s.batch;
    a.kv = s.kv;
    a.heads = s.heads;
    a.kv_heads = s.kv_heads;
    a.head_dim = s.head_dim;
    a.page_tokens = page_tokens;
    a.pages_per_sequence = pages;
    a.q_row = s.heads * s.head_dim;
    if (splits == 0) splits = decode_splits(dtype, a);
    const DeviceMemory partial(decode_scratch_floats(a, splits) * sizeof(float));
    a.partial = partial.as<float>();
    attention_decode(dtype, a, splits, nullptr);
    const std::size_t kv_values = static_cast<std::size_t>(all_pages) * page_values;
    const auto place = [&](int sequence, int t) {
        const int page = table[static_cast<std::size_t>(sequence * pages + t / page_tokens)];
        return static_cast<std::size_t>((page * page_tokens + t % page_tokens) * s.kv_heads * s.head_dim);
    };
    const auto expected = reference(s, numbers(dtype, a.q, count_of(s, 1, s.heads)),
                                    numbers(dtype, a.k_pages, kv_values), numbers(dtype, a.v_pages, kv_values), place);
    return relative_deviation(numbers(dtype, a.o, expected.size()), expected);
}

KernelPoint point(KernelClass kernel, const std::string& path, const std::string& dtype) {
    return {kernel, path, dtype, "", {}, true};
}

void check(void (*add)(Registry<Microbenchmark>&), const KernelPoint& what) {
    Registry<Microbenchmark> registry;
    add(registry);
    const auto kernel = registry.begin()->second.prepare(what);
    CAPTURE(what.path, what.dtype, what.shape.m, what.shape.n, what.shape.kv);
    const double first = kernel->error();
    CHECK(first <= kernel->tolerance());
    kernel->run();  // on the last copy of the data
    CHECK(kernel->error() <= kernel->tolerance());
}

}  // namespace

TEST_CASE("emulated device: prefill attention of whole and partial tiles") {
    const int head_dim = GENERATE(64, 128, 256);
    const Dtype dtype = GENERATE(Dtype::fp16, Dtype::bf16);
    for (const Prefill kernel : {attention_prefill, attention_prefill_by_groups})
        for (const auto& [query, kv] : {std::pair{1, 1}, {65, 65}, {130, 130}, {17, 150}, {64, 128}, {1, 257}})
            for (const std::uint64_t seed : seeds(dtype)) {
                if (kernel == attention_prefill_by_groups && head_dim == 256) continue;
                emulated::use_schedule(seed);
                CAPTURE(kernel == attention_prefill, query, kv, head_dim, seed);
                const Sizes sizes{query > 100 ? 1 : 2, query, kv, 2, query % 2 == 0 ? 1 : 2, head_dim};
                CHECK(prefill_error(sizes, dtype, kernel) <= attention_tolerance(dtype));
            }
}

TEST_CASE("emulated device: prefill attention by warpgroups over many tiles") {
    emulated::use_schedule(3);
    CHECK(prefill_error({1, 200, 700, 2, 1, 128}, Dtype::bf16, attention_prefill_by_groups) <=
          attention_tolerance(Dtype::bf16));
}

TEST_CASE("emulated device: decode attention over pages, split and whole") {
    const int head_dim = GENERATE(64, 128, 256);
    const Dtype dtype = GENERATE(Dtype::fp16, Dtype::bf16);
    for (const auto& [kv, kv_heads, splits] :
         {std::tuple{1, 8, 0}, {15, 8, 1}, {16, 2, 1}, {17, 1, 1}, {33, 4, 0}, {257, 1, 0}, {257, 2, 3}, {600, 2, 0}})
        for (const std::uint64_t seed : seeds(dtype)) {
            emulated::use_schedule(seed);
            CAPTURE(kv, kv_heads, splits, head_dim, seed);
            CHECK(decode_error({2, 1, kv, 8, kv_heads, head_dim}, dtype, splits, seed == 2 ? 32 : 16) <=
                  attention_tolerance(dtype));
        }
    // More heads in a group than a tile has rows; more parts than tiles.
    CHECK(decode_error({1, 1, 70, 40, 2, head_dim}, dtype, 1, 16) <= attention_tolerance(dtype));
    CHECK(decode_error({1, 1, 20, 4, 2, head_dim}, dtype, 5, 16) <= attention_tolerance(dtype));
    CHECK(decode_error({1, 1, 1700, 2, 1, head_dim}, dtype, 100, 16) <= attention_tolerance(dtype));
}

TEST_CASE("emulated device: the benches verify their own kernels") {
    const std::string dtype = GENERATE("fp16", "bf16");
    for (const char* const path : {"rms_norm", "add_rms_norm", "silu_mul", "rope", "kv_write"})
        for (const std::int64_t m : {1, 3, 70}) {
            KernelPoint elementwise = point(KernelClass::elementwise, path, dtype);
            elementwise.shape.m = m;
            elementwise.shape.n = m == 3 ? 128 : 512;
            elementwise.cold = m == 3;
            check(register_emulated_elementwise, elementwise);
        }
    for (const std::int64_t m : {1, 40}) {
        KernelPoint moe = point(KernelClass::moe, "balanced", dtype);
        moe.shape.m = m;
        moe.shape.n = 128;
        moe.shape.k = 192;
        moe.shape.experts = 4;
        moe.shape.top_k = 2;
        check(register_emulated_moe, moe);
    }
    KernelPoint decode = point(KernelClass::attention_decode, "paged", dtype);
    decode.shape = {.batch = 2, .query = 1, .kv = 50, .heads = 4, .kv_heads = 2, .head_dim = 64};
    check(register_emulated_attention_decode, decode);
    for (const char* const path : {"mma", "wgmma"}) {
        KernelPoint prefill = point(KernelClass::attention_prefill, path, dtype);
        prefill.shape = {.batch = 2, .query = 20, .kv = 50, .heads = 4, .kv_heads = 2, .head_dim = 64};
        check(register_emulated_attention_prefill, prefill);
    }
    CHECK(prefill_path(dtype_of(dtype), 128) == "wgmma");
    CHECK(prefill_path(dtype_of(dtype), 256) == "mma");
}

TEST_CASE("emulated device: sampling and copies") {
    for (const char* const path : {"argmax", "top_k", "top_p"}) {
        KernelPoint sampling = point(KernelClass::sampling, path, "fp32");
        sampling.shape.m = 2;
        sampling.shape.n = 3000;
        check(register_emulated_sampling, sampling);
    }
    for (const char* const path : {"copy", "read", "host_to_device", "device_to_host"})
        for (const std::int64_t bytes : {64, 1 << 20}) {
            KernelPoint memory = point(KernelClass::memory, path, "");
            memory.shape.bytes = bytes;
            memory.cold = bytes == 64;
            check(register_emulated_memory, memory);
        }
}

TEST_CASE("emulated device: whole decoder steps") {
    const std::string dtype = GENERATE("fp16", "bf16");
    const DecoderShape model{"small", 2, 128, 4, 2, 64, 192};
    for (const auto& [query, kv] : {std::pair<std::int64_t, std::int64_t>{1, 33}, {1, 2}, {20, 20}, {70, 70}}) {
        const auto step = prepare_decoder_step({model, dtype, 2, query, kv});
        CAPTURE(query, kv);
        CHECK(step->error() <= step->tolerance());
    }
}
