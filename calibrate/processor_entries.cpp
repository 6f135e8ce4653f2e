#include "calibrate/processor_entries.hpp"

#include <cmath>

#include <fmt/format.h>

namespace plimsoll {
namespace {

/// "66.7 GFLOP/s +- 1.2 GFLOP/s".
std::string with_deviation(const MeasuredRate& rate, double unit_size, const std::string& unit) {
    return fmt::format("{0:.5g}{2} +- {1:.2g}{2}", rate.value / unit_size, rate.deviation / unit_size,
                       unit.empty() ? unit : " " + unit);
}

std::string fraction(const MeasuredRate& rate) {
    return with_deviation(rate, 1.0, "");
}

/// A share that was measured, or a guess of it where no point counted.
std::string fraction(const std::optional<MeasuredRate>& rate) {
    return fraction(rate.value_or(MeasuredRate{0.5, 0.25}));
}

std::string origin(const std::optional<MeasuredRate>& rate, const ProcessorFacts& facts, const std::string& what) {
    return rate ? "measured here: " + what + ", " + facts.measured : "estimated: no point of it counted";
}

std::string gpu_json(const ProcessorFacts& facts, const ProcessorRates& rates) {
    std::string peaks;
    for (const auto& [dtype, peak] : rates.peaks)
        peaks +=
            fmt::format("{}\"{}\": \"{}\"", peaks.empty() ? "" : ", ", dtype, with_deviation(peak, 1e9, "GFLOP/s"));
    constexpr double watts_a_thread = 8.0;
    return fmt::format(
        R"({{
  "schema": "plimsoll/gpu/1",
  "name": "{name}",
  "aliases": [],
  "vendor": "{vendor}",
  "architecture": "{model}",
  "form_factor": "socket",
  "memory": {{"capacity": "{capacity:.0f} B", "usable": "{usable:.0f} B", "bandwidth": "{bandwidth}", "l2": "{cache:.0f} B"}},
  "multiprocessors": {threads},
  "multiprocessor_clock": "{clock:.0f} MHz",
  "power": "{power:.0f} W",
  "peak": {{{peaks}}},
  "efficiency_class": "{name}",
  "sources": {{
    "*": "measured here: the fastest product of each type and the largest cold read, {measured}",
    "memory.usable": "measured here: memory that was available",
    "power": "estimated: {a_thread:.0f} W a thread, as of servers of 200 W and 24 threads"
  }}
}}
)",
        fmt::arg("name", facts.name), fmt::arg("vendor", facts.vendor), fmt::arg("model", facts.model),
        fmt::arg("capacity", facts.memory.value()), fmt::arg("usable", facts.usable_memory.value()),
        fmt::arg("bandwidth", with_deviation(rates.bandwidth, 1e9, "GB/s")),
        fmt::arg("cache", std::min(facts.last_cache.value(), 1e10)), fmt::arg("threads", facts.threads),
        fmt::arg("clock", rates.clock_mhz), fmt::arg("power", watts_a_thread * facts.threads), fmt::arg("peaks", peaks),
        fmt::arg("measured", facts.measured), fmt::arg("a_thread", watts_a_thread));
}

std::string class_json(const ProcessorFacts& facts, const ProcessorRates& rates) {
    return fmt::format(
        R"({{
  "schema": "plimsoll/efficiency-class/1",
  "name": "{name}",
  "gemm": {{"compute_efficiency": "{gemm_compute}", "memory_efficiency": "{gemm_memory}", "launch": "{launch}", "sharpness": "2 +- 0.5"}},
  "prefill_attention": {{
    "compute_efficiency": "{prefill}", "memory_efficiency": "{decode}", "launch": "{launch}", "per_sequence": "0 us",
    "query_half": "0", "context_half": "0", "head_dim_exponent": "0 +- 0.5", "sharpness": "2 +- 0.5"
  }},
  "decode_attention": {{
    "memory_efficiency": "{decode}", "compute_efficiency": "{prefill}", "launch": "{launch}", "per_sequence": "0 us",
    "group_pad": "1", "sharpness": "2 +- 0.5"
  }},
  "elementwise": {{"memory_efficiency": "{elementwise}", "launch": "{launch}"}},
  "quantized": {{"dequantization": "1 +- 1"}},
  "sources": {{
    "*": "measured here: waking the threads, {measured}",
    "gemm.compute_efficiency": "{of_gemm_compute}",
    "gemm.memory_efficiency": "{of_gemm_memory}",
    "gemm.sharpness": "estimated: between the sum and the larger of the two limits",
    "prefill_attention.compute_efficiency": "{of_prefill}",
    "prefill_attention.memory_efficiency": "{of_decode}",
    "prefill_attention.head_dim_exponent": "estimated: heads of 128 only were measured",
    "prefill_attention.sharpness": "estimated: as for products",
    "decode_attention.memory_efficiency": "{of_decode}",
    "decode_attention.compute_efficiency": "{of_prefill}",
    "decode_attention.sharpness": "estimated: as for products",
    "elementwise.memory_efficiency": "{of_elementwise}",
    "quantized": "estimated: 4-bit weights were not measured; expanding them takes about as long as multiplying"
  }}
}}
)",
        fmt::arg("name", facts.name), fmt::arg("gemm_compute", fraction(rates.gemm_compute)),
        fmt::arg("gemm_memory", fraction(rates.gemm_memory)),
        fmt::arg("launch", with_deviation(rates.launch, 1e-6, "us")),
        fmt::arg("prefill", fraction(rates.prefill_compute)), fmt::arg("decode", fraction(rates.decode_memory)),
        fmt::arg("elementwise", fraction(rates.elementwise_memory)), fmt::arg("measured", facts.measured),
        fmt::arg("of_gemm_compute", origin(rates.gemm_compute, facts, "products of 64 rows and more over the peak")),
        fmt::arg("of_gemm_memory", origin(rates.gemm_memory, facts, "products of one row over the bandwidth")),
        fmt::arg("of_prefill", origin(rates.prefill_compute, facts, "attention of prompts over the peak")),
        fmt::arg("of_decode", origin(rates.decode_memory, facts, "attention of single queries over the bandwidth")),
        fmt::arg("of_elementwise", origin(rates.elementwise_memory, facts, "norm and activation over the bandwidth")));
}

std::string node_json(const ProcessorFacts& facts) {
    return fmt::format(
        R"({{
  "schema": "plimsoll/node/1",
  "name": "{name}-1",
  "gpu": "{name}",
  "gpus": 1,
  "cpu": "{model}",
  "sockets": [[0]],
  "nvlink": {{"kind": "none"}},
  "host": {{"power": "50 W +- 30 W", "speed": "1"}},
  "sources": {{
    "*": "measured here: one processor and nothing beside it, {measured}",
    "host.power": "estimated: memory, storage and fans"
  }}
}}
)",
        fmt::arg("name", facts.name), fmt::arg("model", facts.model), fmt::arg("measured", facts.measured));
}

std::string engine_json(const ProcessorFacts& facts) {
    return fmt::format(
        R"({{
  "schema": "plimsoll/engine/1",
  "name": "{name}",
  "description": "The measured kernels one after another, as a program without an interpreter runs them: no time of a scheduler, a tokenizer or a server. What a serving framework adds comes on top.",
  "scheduling": "chunked",
  "scheduler": "vllm-v1",
  "max_step_tokens": 512,
  "max_sequences": 64,
  "kv": {{"reservation": "paged", "block_tokens": 16, "watermark": 0.0}},
  "memory": {{"fraction": 0.9, "framework": "0.1 GB", "workspace": "0.2 GB", "graphs": "0 B", "communication": "0 B"}},
  "host": {{"per_step": "0 ms", "per_sequence": "0 us", "per_prefill": "0 ms", "per_request": "0 ms", "front_end": "0 ms", "per_layer": "0 ms", "graph_batch": 0}},
  "collective_overhead": "0 us",
  "kernel_efficiency": "1",
  "kernel_libraries": ["eigen"],
  "weights": ["fp32", "fp16", "bf16", "int8"],
  "sources": {{
    "*": "measured here: nothing is added to the kernels, by definition, {measured}",
    "memory": "estimated: a small program and its buffers"
  }}
}}
)",
        fmt::arg("name", bare_engine), fmt::arg("measured", facts.measured));
}

}  // namespace

std::map<std::string, std::string> processor_entries(const ProcessorFacts& facts, const ProcessorRates& rates) {
    return {{"hardware_db/gpus/" + facts.name + ".json", gpu_json(facts, rates)},
            {"hardware_db/classes/" + facts.name + ".json", class_json(facts, rates)},
            {"hardware_db/nodes/" + facts.name + "-1.json", node_json(facts)},
            {fmt::format("scenarios/library/engines/{}.json", bare_engine), engine_json(facts)}};
}

}  // namespace plimsoll
