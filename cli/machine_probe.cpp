#include "cli/machine_probe.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

#include <sys/wait.h>

#include "detect/text.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

namespace fs = std::filesystem;

/// What sh says of a command that it does not find, or that it may not run.
constexpr int not_found = 127, not_allowed = 126;

struct Ran {
    int status = 0;
    std::string output;
};

Ran run_tool(const std::string& command) {
    std::FILE* pipe = ::popen(("LC_ALL=C " + command + " 2>/dev/null").c_str(), "r");
    if (!pipe) throw EnvironmentError(command, errno);
    Ran ran;
    std::array<char, 4096> buffer{};
    for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
        ran.output.append(buffer.data(), n);
    const int status = ::pclose(pipe);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : not_allowed;
    return ran;
}

std::string whole_file(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream text;
    if (stream) text << stream.rdbuf();
    if (!stream) throw EnvironmentError(path.string(), errno != 0 ? errno : EIO);
    return text.str();
}

/// What a tool printed; nothing where there is no such tool.
std::optional<std::string> output_of(const std::string& command) {
    Ran ran = run_tool(command);
    if (ran.status == not_found) return std::nullopt;
    if (ran.status == not_allowed) throw EnvironmentError(command, EACCES);
    if (ran.status == 0 || ran.output.find("No devices were found") != ran.output.npos) return std::move(ran.output);
    const std::vector<std::string> lines = plain_lines(ran.output);
    const auto said = std::find_if(lines.begin(), lines.end(), [](const auto& line) { return !line.empty(); });
    throw EnvironmentError(command + " failed" + (said == lines.end() ? "" : " and says " + in_quotes(*said, 200)),
                           EIO);
}

void probe_gpus(ToolOutputs& outputs) {
    const auto smi = output_of("nvidia-smi -q -x");
    if (!smi || smi->find("No devices were found") != smi->npos) return;
    outputs[std::string(smi_file)] = *smi;
    if (const auto matrix = output_of("nvidia-smi topo -m")) outputs[std::string(topology_file)] = *matrix;
}

std::string first_line(const fs::path& path) {
    std::ifstream stream(path);
    std::string line;
    std::getline(stream, line);
    return line;
}

/// Highest link rate and width of every display or compute device ("0x03...") of NVIDIA.
void probe_pcie(ToolOutputs& outputs) {
    std::error_code error;
    std::string lines;
    for (const auto& device : fs::directory_iterator("/sys/bus/pci/devices", error)) {
        const fs::path& path = device.path();
        if (first_line(path / "vendor") != "0x10de" || !first_line(path / "class").starts_with("0x03")) continue;
        const auto rate = leading_number(first_line(path / "max_link_speed"));
        const auto lanes = leading_number(first_line(path / "max_link_width"));
        if (rate && lanes && *rate > 0 && *lanes > 0 && *lanes <= 64)
            lines += path.filename().string() + " " + split_words(first_line(path / "max_link_speed")).front() + " " +
                     std::to_string(static_cast<int>(*lanes)) + "\n";
    }
    if (!lines.empty()) outputs[std::string(pcie_file)] = lines;
}

void probe_nics(ToolOutputs& outputs) {
    std::error_code error;
    std::vector<fs::path> devices;
    for (const auto& device : fs::directory_iterator("/sys/class/infiniband", error)) devices.push_back(device.path());
    std::sort(devices.begin(), devices.end());
    std::string lines;
    for (const fs::path& device : devices) {
        const std::string layer = first_line(device / "ports/1/link_layer"), rate = first_line(device / "ports/1/rate");
        if (!layer.empty() && !rate.empty()) lines += device.filename().string() + " " + layer + " " + rate + "\n";
    }
    if (!lines.empty()) outputs[std::string(nic_file)] = lines;
}

}  // namespace

ToolOutputs probe_machine() {
    ToolOutputs outputs;
    const auto lscpu = output_of("lscpu");
    if (!lscpu) throw EnvironmentError("lscpu", ENOENT);
    outputs[std::string(lscpu_file)] = *lscpu;
    outputs[std::string(memory_file)] = whole_file("/proc/meminfo");
    probe_gpus(outputs);
    probe_pcie(outputs);
    probe_nics(outputs);
    return outputs;
}

ToolOutputs saved_machine(const std::string& folder) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) throw EnvironmentError(folder, error ? error.value() : ENOTDIR);
    ToolOutputs outputs;
    for (const std::string_view file : {smi_file, topology_file, lscpu_file, memory_file, pcie_file, nic_file})
        if (const fs::path path = fs::path(folder) / file; fs::exists(path))
            outputs[std::string(file)] = whole_file(path);
    return outputs;
}

}  // namespace plimsoll
