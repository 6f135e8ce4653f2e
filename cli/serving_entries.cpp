#include <filesystem>

#include <fmt/format.h>

#include "cli/output_file.hpp"
#include "cli/serving_fit_document.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

namespace fs = std::filesystem;

std::string time_text(double seconds) {
    return fmt::format("{:.2f} us", seconds * 1e6);
}

std::string with_deviation(const EngineConstantEntry& entry, double value, double error) {
    if (entry.constant == EngineConstant::kernel_efficiency || entry.constant == EngineConstant::host_speed)
        return fmt::format("{:.4f} +- {:.4f}", value, error);
    return time_text(value) + " +- " + time_text(error);
}

/// What stands in the data file under a dotted path, and the text on where it comes from.
void set_with_source(Fields& entry, const std::string& path, const std::string& value, const std::string& source) {
    entry.set(path, '"' + value + '"', "--data-out");
    // Paths of sources have dots of their own, so that they are laid over rather than set.
    entry =
        entry.overlaid_with(Fields::from_text(R"({"sources": {")" + path + R"(": ")" + source + R"("}})", "source"));
}

/// Text that may stand in a JSON string as it is.
std::string plain_text(std::string text) {
    for (char& c : text)
        if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20U) c = '_';
    return text;
}

class Writer {
  public:
    Writer(const ServingCalibration& calibration, const std::string& table) : calibration_(calibration) {
        const ServingErrorTable& e = calibration.leave_one_out;
        basis_ = fmt::format(
            "fitted: on {} rows of {}, most probable of {} constants; rows left out in turn are {:.0f} % (TPOT) and "
            "{:.0f} % (TTFT) off in the median",
            calibration.table.rows.size(), plain_text(fs::path(table).filename().string()),
            calibration.constants.size(), 100 * e[1].model.median, 100 * e[0].model.median);
    }

    [[nodiscard]] Fields engine(Fields entry) const {
        for (std::size_t i = 0; i < calibration_.constants.size(); ++i) {
            const EngineConstantEntry& constant = calibration_.constants[i];
            if (constant.gpu.empty()) set(entry, constant.name(), constant, i);
        }
        return entry;
    }

    /// Nothing, where no constant of the node's GPU was fitted.
    [[nodiscard]] std::optional<Fields> node(const Node& node, Fields entry) const {
        bool changed = false;
        for (std::size_t i = 0; i < calibration_.constants.size(); ++i) {
            const EngineConstantEntry& constant = calibration_.constants[i];
            if (constant.gpu != node.gpu) continue;
            changed = true;
            if (constant.constant == EngineConstant::host_speed)
                set(entry, "host.speed", constant, i);
            else
                set_bandwidths(node, entry, constant, i);
        }
        if (!changed) return std::nullopt;
        return entry;
    }

  private:
    [[nodiscard]] std::string source(const EngineConstantEntry& constant) const {
        const std::string before = constant.constant == EngineConstant::bus_bandwidth
                                       ? "known to a factor of " + fmt::format("{:.2g}", 1.0 + constant.deviation)
                                       : with_deviation(constant, constant.value, constant.deviation);
        return basis_ + "; before: " + before;
    }
    void set(Fields& entry, const std::string& path, const EngineConstantEntry& constant, std::size_t i) const {
        const ServingFit& fit = calibration_.fits.all;
        set_with_source(entry, path, with_deviation(constant, fit.values[i], fit.standard_errors[i]), source(constant));
    }
    void set_bandwidths(const Node& node, Fields& entry, const EngineConstantEntry& constant, std::size_t i) const {
        const ServingFit& fit = calibration_.fits.all;
        for (std::size_t c = 0; c < node.collectives.size(); ++c) {
            const CollectiveCurve& curve = node.collectives[c];
            if (!curve.times.empty() || curve.bandwidth_origin <= Origin::measured_elsewhere) continue;
            set_with_source(
                entry, fmt::format("collectives.{}.bus_bandwidth", c),
                fmt::format("{:.4g} GB/s", curve.bus_bandwidth.value() * fit.values[i] / 1e9),
                source(constant) + fmt::format("; good to {:.0f} %", 100 * fit.standard_errors[i] / fit.values[i]));
        }
    }

    const ServingCalibration& calibration_;
    std::string basis_;
};

std::string write_entry(const Fields& entry, const fs::path& file) {
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    if (error) throw EnvironmentError(file.parent_path().string(), error.value());
    write_file(file.string(), entry.dump(2) + "\n");
    return file.string();
}

}  // namespace

std::vector<std::string> write_serving_entries(const ServingCalibration& calibration, const std::string& engine,
                                               const std::string& directory, const std::string& table,
                                               Catalog& catalog) {
    const Writer writer(calibration, table);
    const fs::path root(directory);
    const std::string name = catalog.engines.at(engine, "--engine").name;
    std::vector<std::string> files;
    files.push_back(write_entry(writer.engine(Fields::from_file(catalog.engines.path(name))),
                                root / "scenarios/library/engines" / (name + ".json")));
    for (const std::string& node : catalog.nodes.names())
        if (const auto entry = writer.node(catalog.nodes.at(node, node), Fields::from_file(catalog.nodes.path(node))))
            files.push_back(write_entry(*entry, root / "hardware_db/nodes" / (node + ".json")));
    return files;
}

}  // namespace plimsoll
