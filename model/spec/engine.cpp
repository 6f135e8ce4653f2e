#include "model/spec/engine.hpp"

#include "model/base/fields.hpp"
#include "model/spec/sources.hpp"

namespace plimsoll {
namespace {

constexpr Range tokens{1, 1e9};

std::optional<int> optional_tokens(const Fields& fields, std::string_view key) {
    if (!fields.has(key)) return std::nullopt;
    return static_cast<int>(fields.integer(key, tokens));
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
    engine.max_sequences = static_cast<int>(fields.integer("max_sequences", tokens));
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
    read_scheduling(fields, engine);
    read_memory(fields, sources, engine);

    const Fields host = fields.object("host");
    const auto time = [&](std::string_view key) {
        return sourced_quantity<Seconds>(host, key, sources, "host." + std::string(key), {0, 10});
    };
    engine.host = {time("per_step"),    time("per_sequence"), time("per_prefill"),
                   time("per_request"), time("per_layer"),    static_cast<int>(host.integer("graph_batch", {0, 1e6})),
                   std::nullopt};
    if (host.has("overlap_sharpness")) engine.host.overlap_sharpness = host.number("overlap_sharpness", {1, 100});
    host.finish();

    engine.collective_overhead =
        sourced_quantity<Seconds>(fields, "collective_overhead", sources, "collective_overhead", {0, 0.1});
    engine.peer_all_reduce = fields.boolean_or("peer_all_reduce", false);
    engine.kernel_efficiency = sourced_number(fields, "kernel_efficiency", {0.01, 1}, sources, "kernel_efficiency");
    if (fields.has("kernel_libraries")) engine.kernel_libraries = fields.strings("kernel_libraries");
    for (const std::string& name : fields.strings("weights"))
        engine.weights.push_back(parse_dtype(name, fields.place("weights")));
    read_layouts(fields, engine);
    fields.finish();
    return engine;
}

}  // namespace plimsoll
