#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "detect/machine.hpp"
#include "detect/text.hpp"
#include "detect/xml.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

/// The first of several paths that holds a number: drivers renamed elements over the years.
std::string_view first_number(const XmlElement& gpu, std::initializer_list<std::string_view> paths) {
    for (const std::string_view path : paths)
        if (const std::string_view text = gpu.text_at(path); leading_number(text)) return text;
    return {};
}

int whole(std::string_view text) {
    return static_cast<int>(leading_number(text).value_or(0));
}

DetectedGpu read_gpu_element(const XmlElement& element, const std::string& place) {
    DetectedGpu gpu;
    gpu.product = element.text_at("product_name");
    gpu.bus_id = element.text_at("pci/pci_bus_id");
    if (gpu.product.empty()) throw InputError(place, "a <gpu> without <product_name>");
    const std::string_view memory = first_number(element, {"fb_memory_usage/total", "memory_usage/total"});
    if (memory.empty())
        throw InputError(place, fmt::format("the memory of the {} is not shown (<fb_memory_usage>)", gpu.product));
    gpu.memory = parse_quantity<Bytes>(memory, place);
    const std::string_view power =
        first_number(element, {"gpu_power_readings/default_power_limit", "gpu_power_readings/current_power_limit",
                               "power_readings/default_power_limit", "power_readings/enforced_power_limit",
                               "power_readings/power_limit"});
    if (!power.empty()) gpu.power_limit = parse_quantity<Watts>(power, place);
    const std::string_view clock = first_number(element, {"max_clocks/sm_clock", "max_clocks/graphics_clock"});
    if (!clock.empty()) gpu.multiprocessor_clock = parse_quantity<PerSecond>(clock, place);
    gpu.pcie_generation = whole(element.text_at("pci/pci_gpu_link_info/pcie_gen/max_link_gen"));
    gpu.pcie_lanes = whole(element.text_at("pci/pci_gpu_link_info/link_widths/max_link_width"));
    return gpu;
}

}  // namespace

DetectedGpus read_nvidia_smi(std::string_view text, const std::string& place) {
    if (text.find("<nvidia_smi_log") == text.npos) {
        const std::vector<std::string> lines = plain_lines(text);
        const auto said = std::find_if(lines.begin(), lines.end(), [](const auto& line) { return !line.empty(); });
        throw InputError(place, "expected the output of nvidia-smi -q -x, got " +
                                    (said == lines.end() ? "nothing" : in_quotes(*said)));
    }
    const XmlElement log = parse_xml(text, place);
    DetectedGpus result;
    result.driver = log.text_at("driver_version");
    for (const XmlElement& child : log.children)
        if (child.name == "gpu") result.gpus.push_back(read_gpu_element(child, place));
    const int attached = whole(log.text_at("attached_gpus"));
    if (log.child("attached_gpus") && static_cast<std::size_t>(attached) != result.gpus.size())
        throw InputError(place, fmt::format("{} GPUs attached, but {} described", attached, result.gpus.size()));
    return result;
}

}  // namespace plimsoll
