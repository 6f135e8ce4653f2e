#include "detect/describe.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "detect/host_entries.hpp"
#include "detect/similar_node.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// The entry that a product means; of several with that alias the one with this much memory.
const Gpu* find_gpu(Catalog& catalog, const DetectedGpu& detected) {
    std::string product = detected.product;
    for (const std::string_view maker : {"", "NVIDIA ", "Tesla "}) {
        if (product.starts_with(maker)) product.erase(0, maker.size());
        const Gpu* best = nullptr;
        double nearest = 0.15;  // labels count in other bytes than drivers, and these keep some back
        for (const Gpu* one : catalog.gpus.candidates(product)) {
            const double off = std::abs(detected.memory / one->usable_memory.value - 1.0);
            if (off < nearest) best = one, nearest = off;
        }
        if (best) return best;
    }
    return nullptr;
}

/// A file with what nvidia-smi tells; what it does not tell stands there as "unknown", which no reader takes.
void write_unknown_gpu(const DetectedGpu& gpu, const std::string& name, const std::string& origin,
                       Description& result) {
    EntryText entry("gpu", name);
    const std::string unknown = json_text("unknown");
    const auto left_open = [&](const std::string& field) { result.to_fill_in.push_back(field); };
    entry.add("aliases", "[" + json_text(gpu.product) + "]");
    entry.add("vendor", json_text("NVIDIA"));
    entry.add("architecture", unknown);
    entry.add("form_factor", json_text(gpu.product.find("SXM") != gpu.product.npos ? "sxm" : "pcie"));
    const std::string size = fmt::format("\"{:.6g} MiB\"", gpu.memory.value() / 1048576.0);
    entry.add("memory",
              fmt::format(R"({{"capacity": {0}, "usable": {0}, "bandwidth": "unknown", "l2": "unknown"}})", size));
    entry.add("multiprocessors", unknown);
    entry.add("multiprocessor_clock", gpu.multiprocessor_clock
                                          ? fmt::format("\"{:.6g} MHz\"", gpu.multiprocessor_clock->value() / 1e6)
                                          : unknown);
    entry.add("power", gpu.power_limit ? fmt::format("\"{:.6g} W\"", gpu.power_limit->value()) : unknown);
    entry.add("peak", R"({"fp16": "unknown"})");
    entry.add("efficiency_class", unknown);
    for (const char* field : {"memory.bandwidth", "memory.l2", "multiprocessors", "peak", "efficiency_class"})
        left_open(field);
    if (!gpu.multiprocessor_clock) left_open("multiprocessor_clock");
    if (!gpu.power_limit) left_open("power");
    entry.source("*", "measured here: " + origin);
    result.files["hardware_db/gpus/" + name + ".json"] = entry.text();
}

/// The PCIe link of the catalog that is as fast as the card's, or the next below.
std::string pcie_link(Catalog& catalog, const DetectedGpu& gpu, std::vector<std::string>& notes) {
    // Sixteen lanes of the fourth generation carry 31.5 GB/s; each generation doubles that (PCI-SIG).
    const double rate = 31.5e9 * std::pow(2.0, gpu.pcie_generation - 4) * gpu.pcie_lanes / 16.0;
    const std::string shown = fmt::format("PCIe {} x{}", gpu.pcie_generation, gpu.pcie_lanes);
    std::string best, slowest;
    double best_rate = 0, least = HUGE_VAL;
    for (const std::string& name : catalog.links.names()) {
        if (!name.starts_with("pcie-")) continue;
        const double raw = catalog.links.at(name, "detect").raw.value();
        const bool same = name == fmt::format("pcie-{}-x{}", gpu.pcie_generation, gpu.pcie_lanes);
        if (raw <= rate * 1.05 && (raw > best_rate || same)) best = name, best_rate = raw;
        if (raw < least) slowest = name, least = raw;
    }
    if (best_rate > 0 && rate < best_rate * 1.05) return best;
    best = best.empty() ? slowest : best;
    notes.push_back(gpu.pcie_generation == 0 || gpu.pcie_lanes == 0
                        ? "The PCIe link is not shown; " + best + " stands for it."
                        : fmt::format("No link is as fast as {}; {} stands for it.", shown, best));
    return best;
}

/// By compute capability: the NVLink of that generation of GPUs.
std::string nvlink_of(const Gpu* gpu, const Node* similar) {
    if (similar && !similar->nvlink_link_name.empty()) return similar->nvlink_link_name;
    const std::string capability = gpu ? gpu->compute_capability : "";
    for (const auto& [generation, link] : {std::pair{"7.0", "nvlink-2"}, std::pair{"8.0", "nvlink-3"},
                                           std::pair{"8.6", "nvlink-3-ga102"}, std::pair{"9.0", "nvlink-4"}})
        if (capability == generation) return link;
    return "nvlink-5";
}

void add_nvlink(const Wiring& wiring, const Gpu* gpu, const Node* similar, EntryText& entry) {
    if (wiring.nvlink == NvlinkKind::none) return entry.add("nvlink", R"({"kind": "none"})");
    const std::string link = nvlink_of(gpu, similar);
    if (wiring.nvlink == NvlinkKind::nvswitch)
        return entry.add("nvlink", fmt::format(R"({{"kind": "switch", "link": "{}", "links_per_gpu": {}}})", link,
                                               wiring.links_per_gpu));
    std::string pairs;
    for (const Node::Pair& pair : wiring.pairs)
        pairs += fmt::format(R"({}{{"gpus": [{}, {}], "links": {}}})", pairs.empty() ? "" : ", ", pair.first,
                             pair.second, pair.links);
    entry.add("nvlink", fmt::format(R"({{"kind": "{}", "link": "{}", "pairs": [{}]}})",
                                    wiring.nvlink == NvlinkKind::bridge ? "bridge" : "mesh", link, pairs));
}

void add_nics(const Machine& machine, Catalog& catalog, EntryText& entry, std::vector<std::string>& notes) {
    std::map<std::string, int> counts;
    for (const DetectedNic& nic : machine.nics) {
        std::string link;
        for (const std::string& name : catalog.links.names()) {
            if (!name.starts_with(nic.layer == "InfiniBand" ? "infiniband-" : "roce-")) continue;
            if (std::abs(catalog.links.at(name, "detect").raw / nic.rate - 1.0) < 0.05 && link.empty()) link = name;
        }
        if (link.empty())
            notes.push_back(fmt::format("No link is as fast as the adapter {}: it is left out.", nic.name));
        else
            ++counts[link];
    }
    if (counts.empty()) return;
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    entry.add("nics", fmt::format(R"({{"link": "{}", "count": {}}})", most->first, most->second));
}

const DetectedGpu& one_kind(const std::vector<DetectedGpu>& gpus) {
    for (const DetectedGpu& gpu : gpus)
        if (gpu.product != gpus.front().product)
            throw InputError(std::string(smi_file), "GPUs of several kinds: " + gpus.front().product + " and " +
                                                        gpu.product + "; a node has one kind, describe each by itself");
    return gpus.front();
}

void add_wiring_sources(const Machine& machine, const Wiring& wiring, const std::string& link, EntryText& entry,
                        std::vector<std::string>& notes) {
    if (!wiring.sockets_shown) {
        entry.source("sockets", "estimated: the matrix does not tell; all on one");
        notes.emplace_back("Which GPU belongs to which socket is not shown; all stand on one.");
    }
    if (!link.empty()) entry.source("socket_link", "estimated: by the generation of " + machine.cpu.model);
}

void describe_gpus(const Machine& machine, Catalog& catalog, const std::string& origin, Description& result) {
    const DetectedGpu& detected = one_kind(machine.accelerators.gpus);
    const Gpu* gpu = find_gpu(catalog, detected);
    result.gpu = gpu ? gpu->name : entry_name(detected.product);
    result.gpus = static_cast<int>(machine.accelerators.gpus.size());
    if (!gpu) write_unknown_gpu(detected, result.gpu, origin, result);
    if (result.node.empty()) result.node = fmt::format("{}-{}-detected", result.gpu, result.gpus);
    const bool modules = gpu ? gpu->form_factor == "sxm" : detected.product.find("SXM") != std::string::npos;
    const Wiring wiring = wiring_of(machine, modules);
    const Node* similar = similar_node(catalog, result.gpu, result.gpus);

    EntryText entry("node", result.node);
    entry.add("gpu", json_text(result.gpu));
    entry.add("gpus", fmt::format("{}", result.gpus));
    entry.add("cpu", json_text(fmt::format("{}x {}", machine.cpu.sockets, machine.cpu.model)));
    entry.add("sockets", json_lists(wiring.sockets));
    const std::string link = wiring.sockets.size() > 1 ? socket_link(machine.cpu) : "";
    if (!link.empty()) entry.add("socket_link", json_text(link));
    const bool peers = !similar || similar->peer_to_peer;
    const std::string switches = wiring.switches.empty() ? "" : ", \"switches\": " + json_lists(wiring.switches);
    entry.add("pcie", fmt::format(R"({{"link": "{}"{}, "peer_to_peer": {}}})",
                                  pcie_link(catalog, detected, result.notes), switches, peers));
    add_nvlink(wiring, gpu, similar, entry);
    add_nics(machine, catalog, entry, result.notes);
    entry.source("*", "measured here: " + origin);
    entry.source("pcie.peer_to_peer", similar ? "estimated: as in the entry " + similar->name : "estimated: usual");
    add_wiring_sources(machine, wiring, link, entry, result.notes);
    add_host(similar, result.gpus, entry);
    if (similar) add_collectives(*similar, wiring, result.gpus, entry);
    result.files["hardware_db/nodes/" + result.node + ".json"] = entry.text();
}

}  // namespace

Description describe(const Machine& machine, Catalog& catalog, const std::string& name, const std::string& origin) {
    Description result;
    result.node = name;
    if (!name.empty() && entry_name(name) != name && name.find('.') == name.npos)
        throw InputError("--name", "a name is made of lower case letters, digits, '.' and '-', got " + in_quotes(name));
    if (machine.accelerators.gpus.empty())
        describe_host(machine, catalog, origin, result);
    else
        describe_gpus(machine, catalog, origin, result);
    return result;
}

}  // namespace plimsoll
