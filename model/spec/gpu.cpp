#include "model/spec/gpu.hpp"

#include "model/base/fields.hpp"
#include "model/spec/sources.hpp"

namespace plimsoll {
namespace {

void read_memory(const Fields& fields, const Sources& sources, Gpu& gpu) {
    const Fields memory = fields.object("memory");
    gpu.memory = memory.quantity<Bytes>("capacity", {1e9, 1e13});
    gpu.usable_memory = sourced_quantity<Bytes>(memory, "usable", sources, "memory.usable", {1e9, 1e13});
    if (gpu.usable_memory.value > gpu.memory) memory.fail("usable", "more than the capacity");
    gpu.memory_bandwidth =
        sourced_quantity<BytesPerSecond>(memory, "bandwidth", sources, "memory.bandwidth", {1e9, 1e14});
    gpu.l2 = memory.quantity<Bytes>("l2", {0, 1e10});
    memory.finish();
}

void read_price(const Fields& fields, const Sources& sources, Gpu& gpu) {
    const Fields price = fields.object_or_empty("price");
    if (price.has("list")) gpu.list_price = sourced_quantity<Dollars>(price, "list", sources, "price.list", {1, 1e6});
    if (price.has("rental"))
        gpu.rental = sourced_quantity<DollarsPerSecond>(price, "rental", sources, "price.rental", {0, 1});
    price.finish();
}

}  // namespace

Gpu read_gpu(const Fields& fields) {
    Gpu gpu;
    const Sources sources(fields);
    EntryHead head = read_head(fields, "gpu");
    gpu.name = std::move(head.name);
    gpu.aliases = std::move(head.aliases);
    gpu.vendor = fields.string("vendor");
    gpu.architecture = fields.string("architecture");
    const std::vector<std::string> form_factors{"pcie", "sxm", "oam", "mobile", "socket"};
    gpu.form_factor = form_factors[fields.choice("form_factor", form_factors)];
    gpu.compute_capability = fields.string_or("compute_capability", "");
    read_memory(fields, sources, gpu);
    gpu.multiprocessors = static_cast<int>(fields.integer("multiprocessors", {1, 10000}));
    gpu.multiprocessor_clock = fields.quantity<PerSecond>("multiprocessor_clock", {1e8, 1e10});
    gpu.power = sourced_quantity<Watts>(fields, "power", sources, "power", {1, 1e5});
    const Fields peak = fields.object("peak");
    for (std::size_t i = 0; i < dtype_count; ++i) {
        const std::string key(dtype_names[i]);
        if (peak.has(key))
            gpu.peak[i] = sourced_quantity<FlopPerSecond>(peak, key, sources, "peak." + key, {1e9, 1e18});
    }
    constexpr std::string_view half_sums = "fp16_half_sums";
    if (peak.has(half_sums))
        gpu.half_sum_peak =
            sourced_quantity<FlopPerSecond>(peak, half_sums, sources, "peak.fp16_half_sums", {1e9, 1e18});
    peak.finish();
    read_price(fields, sources, gpu);
    gpu.efficiency_class = fields.string("efficiency_class");
    fields.finish();
    return gpu;
}

EfficiencyClass read_efficiency_class(const Fields& fields) {
    EfficiencyClass result;
    const Sources sources(fields);
    EntryHead head = read_head(fields, "efficiency-class");
    result.name = std::move(head.name);
    result.aliases = std::move(head.aliases);
    const auto fraction = [&](const Fields& group, std::string_view key, const std::string& path) {
        return sourced_number(group, key, {0.001, 1.0}, sources, path + "." + std::string(key));
    };
    const auto number = [&](const Fields& group, std::string_view key, const std::string& path) {
        return sourced_number(group, key, {0.0, 1e5}, sources, path + "." + std::string(key));
    };
    const auto time = [&](const Fields& group, std::string_view key, const std::string& path) {
        return sourced_quantity<Seconds>(group, key, sources, path + "." + std::string(key), {0.0, 0.1});
    };

    const Fields gemm = fields.object("gemm");
    result.gemm = {fraction(gemm, "compute_efficiency", "gemm"), fraction(gemm, "memory_efficiency", "gemm"),
                   time(gemm, "launch", "gemm"), sourced_number(gemm, "sharpness", {1, 20}, sources, "gemm.sharpness")};
    gemm.finish();

    const std::string prefill_path = "prefill_attention";
    const Fields prefill = fields.object(prefill_path);
    result.prefill_attention = {fraction(prefill, "compute_efficiency", prefill_path),
                                fraction(prefill, "memory_efficiency", prefill_path),
                                time(prefill, "launch", prefill_path),
                                time(prefill, "per_sequence", prefill_path),
                                number(prefill, "query_half", prefill_path),
                                number(prefill, "context_half", prefill_path),
                                number(prefill, "head_dim_exponent", prefill_path),
                                sourced_number(prefill, "sharpness", {1, 20}, sources, prefill_path + ".sharpness")};
    prefill.finish();

    const std::string decode_path = "decode_attention";
    const Fields decode = fields.object(decode_path);
    result.decode_attention = {fraction(decode, "memory_efficiency", decode_path),
                               fraction(decode, "compute_efficiency", decode_path),
                               time(decode, "launch", decode_path),
                               time(decode, "per_sequence", decode_path),
                               number(decode, "group_pad", decode_path),
                               sourced_number(decode, "sharpness", {1, 20}, sources, decode_path + ".sharpness")};
    decode.finish();

    const Fields elementwise = fields.object("elementwise");
    result.elementwise = {fraction(elementwise, "memory_efficiency", "elementwise"),
                          time(elementwise, "launch", "elementwise")};
    elementwise.finish();

    const Fields quantized = fields.object("quantized");
    result.dequantization = sourced_number(quantized, "dequantization", {0, 10}, sources, "quantized.dequantization");
    quantized.finish();
    fields.finish();
    return result;
}

}  // namespace plimsoll
