#include "scenarios/serving_constants.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace plimsoll {
namespace {

constexpr std::array engine_wide{EngineConstant::per_step,         EngineConstant::per_sequence,
                                 EngineConstant::per_layer,        EngineConstant::per_prefill,
                                 EngineConstant::per_request,      EngineConstant::collective_overhead,
                                 EngineConstant::kernel_efficiency};
/// Collective times of a node carry no deviation; assumed of those that nobody measured: good to a factor of 1.5.
constexpr double unmeasured_bus_deviation = 0.4;

Sourced<Seconds>* time_of(Engine& engine, EngineConstant constant) {
    switch (constant) {
        case EngineConstant::per_step:
            return &engine.host.per_step;
        case EngineConstant::per_sequence:
            return &engine.host.per_sequence;
        case EngineConstant::per_layer:
            return &engine.host.per_layer;
        case EngineConstant::per_prefill:
            return &engine.host.per_prefill;
        case EngineConstant::per_request:
            return &engine.host.per_request;
        case EngineConstant::collective_overhead:
            return &engine.collective_overhead;
        default:
            return nullptr;
    }
}

EngineConstantEntry entry_of(const Engine& engine, EngineConstant constant) {
    Engine copy = engine;
    if (const auto* time = time_of(copy, constant))
        return {constant, "", time->value.value(), time->standard_deviation.value()};
    return {constant, "", engine.kernel_efficiency.value, engine.kernel_efficiency.standard_deviation};
}

bool bus_is_measured(const Node& node) {
    return std::ranges::any_of(node.collectives, [](const CollectiveCurve& curve) {
        return curve.bandwidth_origin <= Origin::measured_elsewhere;
    });
}

}  // namespace

std::string EngineConstantEntry::name() const {
    constexpr std::array<std::string_view, 9> names{"host.per_step",     "host.per_sequence", "host.per_layer",
                                                    "host.per_prefill",  "host.per_request",  "collective_overhead",
                                                    "kernel_efficiency", "host.speed",        "bus_bandwidth"};
    const std::string own(names[static_cast<std::size_t>(constant)]);
    return gpu.empty() ? own : gpu + " " + own;
}

bool EngineConstantEntry::moves(const MeasuredRow& row) const {
    if (!gpu.empty() && row.deployment.gpu->name != gpu) return false;
    const bool collective =
        constant == EngineConstant::collective_overhead || constant == EngineConstant::bus_bandwidth;
    return !collective || row.deployment.tensor_parallel > 1;
}

std::vector<EngineConstantEntry> engine_constants(const std::vector<const MeasuredRow*>& rows, std::size_t least_rows) {
    std::vector<EngineConstantEntry> constants;
    std::set<std::string> seen;
    for (const MeasuredRow* row : rows) {
        if (seen.insert("").second)
            for (const EngineConstant constant : engine_wide) constants.push_back(entry_of(*row->engine, constant));
        const Node& node = *row->deployment.node;
        const auto same = std::ranges::count_if(
            rows, [&](const MeasuredRow* other) { return other->deployment.gpu == row->deployment.gpu; });
        if (static_cast<std::size_t>(same) < least_rows || !seen.insert(node.gpu).second) continue;
        constants.push_back(
            {EngineConstant::host_speed, node.gpu, node.host_speed.value, node.host_speed.standard_deviation});
        if (!bus_is_measured(node))
            constants.push_back({EngineConstant::bus_bandwidth, node.gpu, 1.0, unmeasured_bus_deviation});
    }
    std::erase_if(constants, [](const EngineConstantEntry& entry) { return entry.deviation <= 0; });
    return constants;
}

ChangedRow::ChangedRow(const MeasuredRow& row, const std::vector<EngineConstantEntry>& constants,
                       const std::vector<double>& values)
    : engine_(*row.engine), node_(*row.deployment.node), deployment_(row.deployment) {
    deployment_.engine = &engine_;
    deployment_.node = &node_;
    for (std::size_t i = 0; i < constants.size(); ++i) {
        const EngineConstantEntry& entry = constants[i];
        if (!entry.moves(row)) continue;
        if (auto* time = time_of(engine_, entry.constant)) {
            time->value = Seconds(values[i]);
        } else if (entry.constant == EngineConstant::kernel_efficiency) {
            engine_.kernel_efficiency.value = values[i];
        } else if (entry.constant == EngineConstant::host_speed) {
            node_.host_speed.value = values[i];
        } else {
            for (CollectiveCurve& curve : node_.collectives) curve.bus_bandwidth = curve.bus_bandwidth * values[i];
        }
    }
}

}  // namespace plimsoll
