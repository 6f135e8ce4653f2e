#pragma once
#include <string>
#include <vector>

#include "scenarios/measured_row.hpp"

namespace plimsoll {

/// What of an engine and of the machines that it runs on a serving run can tell.
enum class EngineConstant {
    per_step,
    per_sequence,
    per_layer,
    per_prefill,
    per_request,
    collective_overhead,
    kernel_efficiency,
    host_speed,    ///< of the nodes of one GPU
    bus_bandwidth  ///< factor on all-reduce bandwidths of the nodes of one GPU
};

/// One constant as the data have it.
struct EngineConstantEntry {
    EngineConstant constant = EngineConstant::per_step;
    std::string gpu;  ///< whose nodes; empty: the engine's own
    double value = 0, deviation = 0;
    [[nodiscard]] std::string name() const;
    [[nodiscard]] bool moves(const MeasuredRow& row) const;
};

/// The constants behind the rows that carry a deviation, so that a measured one stays as it is. A machine's own count
/// where at least `least_rows` rows are of its GPU.
[[nodiscard]] std::vector<EngineConstantEntry> engine_constants(const std::vector<const MeasuredRow*>& rows,
                                                                std::size_t least_rows);

/// Copies of a row's engine and node with other values of the constants.
class ChangedRow {
  public:
    ChangedRow(const MeasuredRow& row, const std::vector<EngineConstantEntry>& constants,
               const std::vector<double>& values);
    [[nodiscard]] const Deployment& deployment() const { return deployment_; }

  private:
    Engine engine_;
    Node node_;
    Deployment deployment_;
};

}  // namespace plimsoll
