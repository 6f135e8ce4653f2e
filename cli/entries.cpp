#include "cli/entries.hpp"

#include <array>

#include "model/cost/architecture.hpp"
#include "model/cost/collective.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

const std::string place = "catalog";

template <auto shelf>
std::vector<std::string> names_on(Catalog& catalog) {
    return (catalog.*shelf).names();
}

template <auto shelf>
std::vector<std::string> files_on(Catalog& catalog, const std::string& name) {
    std::vector<std::string> files;
    for (const auto* entry : (catalog.*shelf).candidates(name)) files.push_back((catalog.*shelf).path(entry->name));
    return files;
}

/// A table with a row for each entry of a shelf.
template <auto shelf, class Cells>
Table table_on(Catalog& catalog, std::string key, std::vector<Column> columns, Cells cells) {
    Table table{std::move(key), "", std::move(columns), {}};
    for (const std::string& name : (catalog.*shelf).names())
        table.rows.push_back(cells((catalog.*shelf).at(name, place)));
    return table;
}

template <class T>
Cell value_of(const std::optional<Sourced<T>>& sourced) {
    return sourced ? Cell(sourced->value) : Cell();
}

Table gpus(Catalog& catalog) {
    return table_on<&Catalog::gpus>(catalog, "gpus",
                                    {{"name", "name", 0},
                                     {"architecture", "architecture", 4},
                                     {"memory_bytes", "memory", 1},
                                     {"memory_bandwidth_bytes_per_s", "bandwidth", 1},
                                     {"peak_fp16_flop_per_s", "fp16 peak", 1},
                                     {"power_w", "power", 2},
                                     {"list_price_usd", "list price", 3},
                                     {"rental_usd_per_hour", "rental", 5},
                                     {"efficiency_class", "class", 6}},
                                    [](const Gpu& gpu) {
                                        const bool fp16 = gpu.supports(Dtype::fp16);
                                        return Row{gpu.name,
                                                   gpu.architecture,
                                                   gpu.memory,
                                                   gpu.memory_bandwidth.value,
                                                   fp16 ? Cell(gpu.peak_of(Dtype::fp16).value) : Cell(),
                                                   gpu.power.value,
                                                   value_of(gpu.list_price),
                                                   value_of(gpu.rental),
                                                   gpu.efficiency_class};
                                    });
}

std::string nvlink_text(const Node& node) {
    switch (node.nvlink) {
        case NvlinkKind::none:
            return "none";
        case NvlinkKind::bridge:
            return "bridge pairs";
        case NvlinkKind::mesh:
            return "cube mesh";
        case NvlinkKind::nvswitch:
            return "switch";
    }
    return "";
}

Table nodes(Catalog& catalog) {
    return table_on<&Catalog::nodes>(
        catalog, "nodes",
        {{"name", "name", 0},
         {"gpus", "GPUs", 0},
         {"gpu", "GPU", 7},
         {"nvlink", "GPU links", 2},
         {"pcie", "PCIe", 3},
         {"all_reduce_bus_bytes_per_s", "all-reduce bus", 2},
         {"nic", "network", 4},
         {"host_price_usd", "host price", 5},
         {"host_power_w", "host power", 6}},
        [](const Node& node) {
            const CollectiveTimes times(node, node.gpus, Seconds(0));
            return Row{
                node.name,          Cell::count(node.gpus),    node.gpu,
                nvlink_text(node),  node.pcie_link_name,       node.gpus > 1 ? Cell(times.bus_bandwidth()) : Cell(),
                node.nic_link_name, value_of(node.host_price), node.host_power.value};
        });
}

Table models(Catalog& catalog) {
    return table_on<&Catalog::models>(catalog, "models",
                                      {{"name", "name", 0},
                                       {"parameters", "parameters", 1},
                                       {"layers", "layers", 2},
                                       {"hidden", "hidden", 3},
                                       {"max_context", "context", 2},
                                       {"kv_bytes_per_token", "KV a token", 1},
                                       {"native_dtype", "dtype", 3}},
                                      [](const Transformer& model) {
                                          const Architecture architecture(model);
                                          return Row{model.name,
                                                     Cell::count(static_cast<double>(architecture.parameters())),
                                                     Cell::count(model.layers),
                                                     Cell::count(model.hidden),
                                                     Cell::count(model.max_context),
                                                     architecture.kv_bytes_per_token(Dtype::fp16),
                                                     to_string(model.native_dtype)};
                                      });
}

Table engines(Catalog& catalog) {
    return table_on<&Catalog::engines>(
        catalog, "engines",
        {{"name", "name", 0},
         {"scheduling", "scheduling", 1},
         {"kv", "KV cache", 2},
         {"max_sequences", "sequences", 1},
         {"max_step_tokens", "tokens a step", 2},
         {"description", "description", 3, true}},
        [](const Engine& engine) {
            const bool chunked = engine.scheduling == Scheduling::chunked;
            const std::array schedulings{"exclusive-prefill", "chunked", "static"};
            const std::array reservations{"full", "paged", "peak"};
            return Row{engine.name,
                       schedulings.at(static_cast<std::size_t>(engine.scheduling)),
                       reservations.at(static_cast<std::size_t>(engine.reservation)),
                       Cell::count(engine.max_sequences),
                       Cell::count(chunked ? engine.max_step_tokens : engine.max_prefill_tokens),
                       engine.description};
        });
}

Table workloads(Catalog& catalog) {
    return table_on<&Catalog::workloads>(catalog, "workloads",
                                         {{"name", "name", 0},
                                          {"prompt_tokens_mean", "prompt", 1},
                                          {"output_tokens_mean", "output", 1},
                                          {"description", "description", 2, true}},
                                         [](const Workload& workload) {
                                             return Row{workload.name, Cell::number(workload.prompt.mean()),
                                                        Cell::number(workload.output.mean()), workload.description};
                                         });
}

Table links(Catalog& catalog) {
    return table_on<&Catalog::links>(catalog, "links",
                                     {{"name", "name", 0},
                                      {"raw_bytes_per_s", "raw", 1},
                                      {"effective_bytes_per_s", "effective", 0},
                                      {"latency_s", "latency", 0}},
                                     [](const Link& link) {
                                         return Row{link.name, link.raw, link.effective.value, link.latency.value};
                                     });
}

Table classes(Catalog& catalog) {
    return table_on<&Catalog::classes>(catalog, "classes",
                                       {{"name", "name", 0},
                                        {"gemm_compute_efficiency", "GEMM compute", 0},
                                        {"gemm_memory_efficiency", "GEMM memory", 0},
                                        {"prefill_attention_compute_efficiency", "prefill attention", 1},
                                        {"decode_attention_memory_efficiency", "decode attention", 1},
                                        {"origin", "origin", 2}},
                                       [](const EfficiencyClass& c) {
                                           return Row{c.name,
                                                      Cell::number(c.gemm.compute_efficiency.value),
                                                      Cell::number(c.gemm.memory_efficiency.value),
                                                      Cell::number(c.prefill_attention.compute_efficiency.value),
                                                      Cell::number(c.decode_attention.memory_efficiency.value),
                                                      to_string(c.gemm.compute_efficiency.origin)};
                                       });
}

Table profiles(Catalog& catalog) {
    return table_on<&Catalog::profiles>(catalog, "profiles",
                                        {{"name", "name", 0},
                                         {"gpu", "GPU", 0},
                                         {"kernels", "kernels", 1},
                                         {"points", "points", 1},
                                         {"origin", "origin", 2},
                                         {"date", "date", 3},
                                         {"source", "source", 4, true}},
                                        [](const Profile& profile) {
                                            std::size_t points = 0;
                                            Origin origin = Origin::measured_here;
                                            for (const KernelModel& kernel : profile.kernels) {
                                                points += kernel.points;
                                                origin = weakest(origin, kernel.origin);
                                            }
                                            return Row{profile.name,
                                                       profile.gpu,
                                                       Cell::count(static_cast<double>(profile.kernels.size())),
                                                       Cell::count(static_cast<double>(points)),
                                                       to_string(origin),
                                                       profile.date,
                                                       profile.source};
                                        });
}

Facts model_facts(Catalog& catalog, const std::string& name) {
    const Transformer& model = catalog.models.at(name, place);
    const Architecture architecture(model);
    const Dtype native = model.native_dtype;
    const auto prediction = static_cast<double>(architecture.prediction_parameters());
    return {
        "derived",
        "Derived",
        {{"parameters", "parameters", Cell::count(static_cast<double>(architecture.parameters()))},
         {"prediction_parameters", prediction > 0 ? "in modules that predict further tokens, loaded to speculate" : "",
          Cell::count(prediction)},
         {"weight_bytes", "weights in " + std::string(to_string(native)), architecture.weight_bytes(native)},
         {"weight_bytes_awq_int4", "weights in awq-int4", architecture.weight_bytes(Dtype::awq_int4)},
         {"kv_bytes_per_token", "KV bytes of a token, fp16",
          Cell::count(architecture.kv_bytes_per_token(Dtype::fp16).value())},
         {"kv_bytes_per_token_fp8", "KV bytes of a token, fp8",
          Cell::count(architecture.kv_bytes_per_token(Dtype::fp8).value())}}};
}

Facts node_facts(Catalog& catalog, const std::string& name) {
    const Node& node = catalog.nodes.at(name, place);
    const Gpu& gpu = catalog.gpus.at(node.gpu, place);
    const double count = node.gpus;
    Facts facts{"derived",
                "Derived",
                {{"usable_memory_bytes", "GPU memory", gpu.usable_memory.value * count},
                 {"memory_bandwidth_bytes_per_s", "memory bandwidth", gpu.memory_bandwidth.value * count},
                 {"gpu_power_w", "power of GPUs", gpu.power.value * count}}};
    const bool priced = gpu.list_price && node.host_price;
    facts.facts.push_back({"list_price_usd", "list price with GPUs",
                           priced ? Cell(gpu.list_price->value * count + node.host_price->value) : Cell()});
    return facts;
}

/// Reads a node as the catalog would: its links, its GPU and the GPU's class must be there.
void check_node(Catalog& catalog, const Fields& fields) {
    const Node node = read_node(fields);
    for (const std::string* link :
         {&node.pcie_link_name, &node.socket_link_name, &node.nvlink_link_name, &node.nic_link_name})
        if (!link->empty()) static_cast<void>(catalog.links.at(*link, fields.place()));
    const Gpu& gpu = catalog.gpus.at(node.gpu, fields.place("gpu"));
    static_cast<void>(catalog.classes.at(gpu.efficiency_class, fields.place("gpu")));
}

void check_model(Catalog&, const Fields& fields) {
    const Transformer model = read_transformer(fields);
    static_cast<void>(Architecture(model));
}

void check_gpu(Catalog& catalog, const Fields& fields) {
    const Gpu gpu = read_gpu(fields);
    static_cast<void>(catalog.classes.at(gpu.efficiency_class, fields.place("efficiency_class")));
}

void check_profile(Catalog& catalog, const Fields& fields) {
    const Profile profile = read_profile(fields);
    static_cast<void>(catalog.gpus.at(profile.gpu, fields.place("gpu")));
}

void check_engine(Catalog&, const Fields& fields) {
    static_cast<void>(schedulers().at(read_engine(fields).scheduler, "scheduler", fields.place("scheduler")));
}

template <auto read>
void check_entry(Catalog&, const Fields& fields) {
    static_cast<void>(read(fields));
}

std::vector<EntryKind> joined(std::vector<EntryKind> kinds) {
    for (EntryKind& kind : plug_in_kinds()) kinds.push_back(std::move(kind));
    return kinds;
}

}  // namespace

const std::vector<EntryKind>& entry_kinds() {
    static const std::vector<EntryKind> kinds = joined({
        {"gpus", "gpu", "accelerators", names_on<&Catalog::gpus>, gpus, files_on<&Catalog::gpus>, nullptr, check_gpu},
        {"nodes", "node", "servers: GPUs, how they are joined, host", names_on<&Catalog::nodes>, nodes,
         files_on<&Catalog::nodes>, node_facts, check_node},
        {"models", "model", "language models", names_on<&Catalog::models>, models, files_on<&Catalog::models>,
         model_facts, check_model},
        {"engines", "engine", "serving engines", names_on<&Catalog::engines>, engines, files_on<&Catalog::engines>,
         nullptr, check_engine},
        {"workloads", "workload", "prompt and output lengths", names_on<&Catalog::workloads>, workloads,
         files_on<&Catalog::workloads>, nullptr, check_entry<read_workload>},
        {"links", "link", "PCIe, NVLink, sockets, networks", names_on<&Catalog::links>, links,
         files_on<&Catalog::links>, nullptr, check_entry<read_link>},
        {"classes", "efficiency-class", "kernel constants of GPU families", names_on<&Catalog::classes>, classes,
         files_on<&Catalog::classes>, nullptr, check_entry<read_efficiency_class>},
        {"profiles", "profile", "kernels as measured on GPUs", names_on<&Catalog::profiles>, profiles,
         files_on<&Catalog::profiles>, nullptr, check_profile},
    });
    return kinds;
}

std::vector<std::string> entry_kind_names() {
    std::vector<std::string> names;
    for (const EntryKind& kind : entry_kinds()) names.push_back(kind.plural);
    return names;
}

}  // namespace plimsoll
