#pragma once
#include <memory>
#include <optional>

#include "cli/arguments.hpp"
#include "cli/output_file.hpp"
#include "simulator/observer_group.hpp"
#include "simulator/request_rows.hpp"
#include "simulator/time_series.hpp"
#include "simulator/trace_events.hpp"

namespace plimsoll {

/// The files that a simulation was asked to write: --requests-out, --trace-out, --series-out.
class SimulationFiles {
  public:
    explicit SimulationFiles(const Arguments& arguments);

    /// Adds those who watch the run to be written.
    void watch(ObserverGroup& group);
    /// The run is over, or as far as it gets. The files get their names.
    void complete();

  private:
    [[nodiscard]] std::string series_text() const;

    std::optional<OutputFile> requests_, trace_, series_;
    std::optional<RequestRows> rows_;
    std::optional<TraceEvents> events_;
    TimeSeries course_;
};

}  // namespace plimsoll
