#pragma once
#include <optional>
#include <string>

#include "calibrate/host/instruction_sets.hpp"
#include "calibrate/measured_profile.hpp"
#include "calibrate/processor_entries.hpp"
#include "calibrate/runner.hpp"
#include "cli/arguments.hpp"
#include "cli/document.hpp"
#include "cli/session.hpp"

namespace plimsoll {

/// What `calibrate run` was asked, and what came of it.
struct CalibrationRun {
    ProcessorFacts facts;
    DeviceFacts host;
    MeasuringPlan plan;
    const InstructionSet* instructions = nullptr;  ///< that the kernels use
    bool quick = false;
    std::vector<WeightShape> shapes;  ///< of the products; empty: the benchmark's own
    bool chosen = false;              ///< after the quick points come those that reduce the fits' uncertainty most
    std::string data_folder, samples_folder;

    Measurements measured;
    std::optional<ProcessorRates> rates;
    bool new_entries = false;  ///< the data directory got entries for the processor
    MeasuredProfile fitted;
    std::vector<std::string> notes;  ///< what the reader should know
};

/// Options to a plan, on this machine. Throws InputError for a device that this program cannot measure.
[[nodiscard]] CalibrationRun read_calibration_run(const Arguments& arguments);
/// What the samples are labelled with.
[[nodiscard]] SampleLabels labels_of(const CalibrationRun& run);
/// The samples and what they were measured on, by file name.
[[nodiscard]] std::map<std::string, std::string> sample_files(const CalibrationRun& run);
[[nodiscard]] Document calibration_document(const CalibrationRun& run);

}  // namespace plimsoll
