#include "detect/similar_node.hpp"

#include <cstdlib>

#include <fmt/format.h>

namespace plimsoll {
namespace {

std::string source_with(Origin origin, const std::string& text) {
    switch (origin) {
        case Origin::measured_here:
        case Origin::measured_elsewhere:
            return "measured: " + text;
        case Origin::fitted:
            return "fitted: " + text;
        case Origin::datasheet:
            return "datasheet: " + text;
        case Origin::estimated:
        case Origin::extrapolated:
            break;
    }
    return "estimated: " + text;
}

}  // namespace

const Node* similar_node(Catalog& catalog, const std::string& gpu, int gpus) {
    const Node* best = nullptr;
    for (const std::string& name : catalog.nodes.names()) {
        const Node& node = catalog.nodes.at(name, "detect");
        if (node.gpu == gpu && (!best || std::abs(node.gpus - gpus) < std::abs(best->gpus - gpus))) best = &node;
    }
    return best;
}

void add_collectives(const Node& similar, const Wiring& wiring, int gpus, EntryText& entry) {
    if (similar.gpus != gpus || similar.nvlink != wiring.nvlink || similar.collectives.empty()) return;
    std::string curves;
    int index = 0;
    for (const CollectiveCurve& curve : similar.collectives) {
        std::string figures;
        for (const auto& [size, time] : curve.times)
            figures += fmt::format("{}\"{:.10g} B\": \"{:.6g} us\"", figures.empty() ? "" : ", ", size.value(),
                                   time.value() * 1e6);
        figures = figures.empty() ? fmt::format(R"("latency": "{:.6g} us", "bus_bandwidth": "{:.6g} GB/s")",
                                                curve.latency.value() * 1e6, curve.bus_bandwidth.value() / 1e9)
                                  : "\"times\": {" + figures + "}";
        curves +=
            fmt::format("{}{{\"operation\": \"{}\", \"ranks\": {}, \"library\": {}, {}}}", curves.empty() ? "" : ", ",
                        curve.operation, curve.ranks, json_text(curve.library), figures);
        const std::string path = fmt::format("collectives.{}", index++), text = "as in the entry " + similar.name;
        entry.source(path, source_with(curve.origin, text));
        if (curve.times.empty()) entry.source(path + ".bus_bandwidth", source_with(curve.bandwidth_origin, text));
    }
    entry.add("collectives", "[" + curves + "]");
}

void add_host(const Node* similar, int gpus, EntryText& entry) {
    if (similar && similar->gpus == gpus) {
        const std::string price =
            similar->host_price ? fmt::format("\"price\": \"{:.6g} USD\", ", similar->host_price->value.value()) : "";
        entry.add("host", fmt::format(R"({{{}"power": "{:.6g} W", "speed": "{:.4g} +- {:.4g}"}})", price,
                                      similar->host_power.value.value(), similar->host_speed.value,
                                      similar->host_speed.standard_deviation));
        entry.source("host", "estimated: as in the entry " + similar->name + ", another machine with these GPUs");
        return;
    }
    entry.add("host",
              fmt::format(R"({{"power": "{} W +- {} W", "speed": "1 +- 0.3"}})", 50 + 100 * gpus, 25 + 50 * gpus));
    entry.source("host", "estimated: 50 W and 100 W a GPU; a host as fast as that of eight A100");
}

}  // namespace plimsoll
