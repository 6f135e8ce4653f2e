#include "model/spec/engine.hpp"

#include <algorithm>

#include "model/base/fields.hpp"
#include "model/spec/gpu.hpp"
#include "model/spec/sources.hpp"

namespace plimsoll {
namespace {

constexpr Range tokens{1, 1e9};
/// Of a batch: as many as a scenario may ask for.
constexpr Range sequences{1, 1e6};

std::optional<int> optional_tokens(const Fields& fields, std::string_view key) {
    if (!fields.has(key)) return std::nullopt;
    return static_cast<int>(fields.integer(key, tokens));
}

/// A limit of the kind that the engine has itself.
std::optional<int> limit_in(const Fields& fields, std::string_view key, Range range = {1, 1e7}) {
    if (!fields.has(key)) return std::nullopt;
    return static_cast<int>(fields.integer(key, range));
}

/// What holds below all others, so that limits can be taken on one GPU after another.
LimitsByMemory own_limits(const Engine& engine) {
    LimitsByMemory own;
    own.max_prefill_tokens = engine.max_prefill_tokens;
    own.max_step_tokens = engine.max_step_tokens;
    own.max_sequences = engine.max_sequences;
    own.graph_batch = engine.host.graph_batch;
    own.memory_fraction = engine.memory_fraction.value;
    return own;
}

void read_limits_by_memory(const Fields& fields, Engine& engine) {
    if (!fields.has("by_memory")) return;
    for (const Fields& entry : fields.objects("by_memory")) {
        LimitsByMemory limits;
        limits.from = entry.quantity<Bytes>("from", {1e6, 1e15});
        if (!engine.by_memory.empty() && limits.from <= engine.by_memory.back().from)
            entry.fail("from", "expected more than the " + to_text(engine.by_memory.back().from) + " before it");
        if (entry.has("except")) limits.except = entry.strings("except");
        const bool chunked = engine.scheduling == Scheduling::chunked;
        (chunked ? limits.max_step_tokens : limits.max_prefill_tokens) =
            limit_in(entry, chunked ? "max_step_tokens" : "max_prefill_tokens");
        limits.max_sequences = limit_in(entry, "max_sequences", sequences);
        limits.graph_batch = limit_in(entry, "graph_batch");
        if (entry.has("memory_fraction")) limits.memory_fraction = entry.number("memory_fraction", {0.05, 1});
        entry.finish();
        engine.by_memory.push_back(std::move(limits));
    }
}

void read_scheduling(const Fields& fields, Engine& engine) {
    engine.scheduling =
        static_cast<Scheduling>(fields.choice("scheduling", {"exclusive-prefill", "chunked", "static"}));
    engine.scheduler = fields.string("scheduler");
    if (engine.scheduling == Scheduling::chunked) {
        engine.max_step_tokens = static_cast<int>(fields.integer("max_step_tokens", tokens));
    } else {
        engine.max_prefill_tokens = static_cast<int>(fields.integer("max_prefill_tokens", tokens));
        if (fields.has("waiting_served_ratio"))
            engine.waiting_served_ratio = fields.number("waiting_served_ratio", {0, 100});
        engine.max_waiting_tokens = optional_tokens(fields, "max_waiting_tokens");
        if (engine.waiting_served_ratio.has_value() != engine.max_waiting_tokens.has_value())
            fields.fail("", "'waiting_served_ratio' and 'max_waiting_tokens' belong together");
    }
    engine.max_sequences = static_cast<int>(fields.integer("max_sequences", sequences));
    read_limits_by_memory(fields, engine);
    engine.max_input_tokens = optional_tokens(fields, "max_input_tokens");
    engine.max_total_tokens = optional_tokens(fields, "max_total_tokens");
}

void read_memory(const Fields& fields, const Sources& sources, Engine& engine) {
    const Fields kv = fields.object("kv");
    engine.reservation = static_cast<KvReservation>(kv.choice("reservation", {"full", "paged", "peak"}));
    engine.reserved_output_tokens = optional_tokens(kv, "reserved_output_tokens");
    engine.block_tokens = static_cast<int>(kv.integer("block_tokens", {1, 4096}));
    engine.watermark = kv.number_or("watermark", 0.0, {0, 0.5});
    if (kv.has("windows")) engine.windows = static_cast<KvWindows>(kv.choice("windows", {"whole", "grouped", "apart"}));
    kv.finish();
    const Fields memory = fields.object("memory");
    engine.memory_fraction = sourced_number(memory, "fraction", {0.05, 1}, sources, "memory.fraction");
    if (memory.has("fraction_of")) engine.fraction_of_free = memory.choice("fraction_of", {"all", "free"}) == 1;
    const auto size = [&](std::string_view key) {
        return sourced_quantity<Bytes>(memory, key, sources, "memory." + std::string(key));
    };
    engine.framework_memory = size("framework");
    engine.workspace_memory = size("workspace");
    engine.graph_memory = size("graphs");
    engine.communication_memory = size("communication");
    if (memory.has("activations"))
        engine.activations_counted = memory.choice("activations", {"counted", "outside"}) == 0;
    engine.sampler_bytes = memory.number_or("sampler_bytes", engine.sampler_bytes, {0, 100});
    if (memory.has("mxfp4_kernels"))
        engine.mxfp4_kernels = static_cast<Mxfp4Kernels>(memory.choice("mxfp4_kernels", {"plain", "triton", "marlin"}));
    engine.expert_workspace_kept = memory.boolean_or("expert_workspace_kept", false);
    memory.finish();
}

void read_layouts(const Fields& fields, Engine& engine) {
    if (!fields.has("layouts")) return;
    const Fields layouts = fields.object("layouts");
    engine.layouts.expert = layouts.has("expert_dispatch");
    if (engine.layouts.expert)
        engine.expert_dispatch =
            static_cast<ExpertDispatch>(layouts.choice("expert_dispatch", {"all-gather", "all-to-all"}));
    engine.layouts.attention_data = layouts.boolean_or("attention_data", false);
    engine.layouts.context = layouts.boolean_or("context", false);
    engine.layouts.hosts = layouts.boolean_or("hosts", false);
    layouts.finish();
}

}  // namespace

Engine read_engine(const Fields& fields) {
    Engine engine;
    const Sources sources(fields);
    EntryHead head = read_head(fields, "engine");
    engine.name = std::move(head.name);
    engine.aliases = std::move(head.aliases);
    engine.description = fields.string("description");
    if (fields.has("assumes")) engine.assumes = fields.string("assumes");
    read_scheduling(fields, engine);
    read_memory(fields, sources, engine);

    const Fields host = fields.object("host");
    const auto time = [&](std::string_view key) {
        return sourced_quantity<Seconds>(host, key, sources, "host." + std::string(key), {0, 10});
    };
    engine.host = {time("per_step"),
                   time("per_sequence"),
                   time("per_prefill"),
                   time("per_request"),
                   time("front_end"),
                   time("per_layer"),
                   static_cast<int>(host.integer("graph_batch", {0, 1e6})),
                   std::nullopt};
    if (host.has("overlap_sharpness")) engine.host.overlap_sharpness = host.number("overlap_sharpness", {1, 100});
    host.finish();

    engine.collective_overhead =
        sourced_quantity<Seconds>(fields, "collective_overhead", sources, "collective_overhead", {0, 0.1});
    engine.peer_all_reduce = fields.boolean_or("peer_all_reduce", false);
    engine.kernel_efficiency = sourced_number(fields, "kernel_efficiency", {0.01, 1}, sources, "kernel_efficiency");
    if (fields.has("score_bytes"))
        engine.score_bytes = sourced_quantity<Bytes>(fields, "score_bytes", sources, "score_bytes", {0, 1000});
    engine.heads_read_apart = fields.boolean_or("heads_read_apart", false);
    engine.half_sums = fields.boolean_or("half_sums", false);
    if (fields.has("vendors")) engine.vendors = fields.strings("vendors");
    if (fields.has("kernel_libraries")) engine.kernel_libraries = fields.strings("kernel_libraries");
    for (const std::string& name : fields.strings("weights"))
        engine.weights.push_back(parse_dtype(name, fields.place("weights")));
    read_layouts(fields, engine);
    fields.finish();
    if (!engine.by_memory.empty()) engine.by_memory.insert(engine.by_memory.begin(), own_limits(engine));
    return engine;
}

Engine with_limits_of(Engine engine, const Gpu& gpu) {
    for (const LimitsByMemory& limits : engine.by_memory) {
        const bool kept = std::find(limits.except.begin(), limits.except.end(), gpu.name) != limits.except.end();
        if (gpu.usable_memory.value < limits.from || kept) continue;
        engine.max_prefill_tokens = limits.max_prefill_tokens.value_or(engine.max_prefill_tokens);
        engine.max_step_tokens = limits.max_step_tokens.value_or(engine.max_step_tokens);
        engine.max_sequences = limits.max_sequences.value_or(engine.max_sequences);
        engine.host.graph_batch = limits.graph_batch.value_or(engine.host.graph_batch);
        engine.memory_fraction.value = limits.memory_fraction.value_or(engine.memory_fraction.value);
    }
    return engine;
}

}  // namespace plimsoll
