#include "detect/machine.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "detect/text.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

using Values = std::map<std::string, std::string>;

/// "key: value" a line; the first of a key counts.
Values read_values(std::string_view text) {
    Values values;
    for (const std::string& line : plain_lines(text)) {
        const std::size_t colon = line.find(':'), key = line.find_first_not_of(' ');
        if (colon == line.npos || key >= colon) continue;
        const std::size_t value = line.find_first_not_of(" \t", colon + 1);
        values.try_emplace(line.substr(key, colon - key), value == line.npos ? "" : line.substr(value));
    }
    return values;
}

int count_of(const Values& values, const std::string& key, const std::string& place) {
    const auto found = values.find(key);
    const auto number = found == values.end() ? std::nullopt : leading_number(found->second);
    if (!number || *number < 1 || *number > 1e6)
        throw InputError(place, "expected a line '" + key + ": <count>' as lscpu prints it in English (LC_ALL=C)");
    return static_cast<int>(*number);
}

std::string text_of(const Values& values, const std::string& key) {
    const auto found = values.find(key);
    return found == values.end() ? "" : found->second;
}

/// "256 MiB (16 instances)", "36608K", or bytes as older versions print them.
std::optional<Bytes> cache_size(const std::string& text) {
    const auto number = leading_number(text);
    if (!number) return std::nullopt;
    if (text.find('G') != text.npos) return Bytes(*number * 1073741824.0);
    if (text.find('M') != text.npos) return Bytes(*number * 1048576.0);
    return Bytes(*number * (text.find('K') != text.npos ? 1024.0 : 1.0));
}

Bytes read_memory_size(std::string_view text, const std::string& place) {
    const std::string total = text_of(read_values(text), "MemTotal");
    if (!leading_number(total)) throw InputError(place, "expected a line 'MemTotal: <number> kB'");
    return Bytes(*leading_number(total) * 1024.0);
}

std::vector<DetectedNic> read_nics(std::string_view text, const std::string& place) {
    std::vector<DetectedNic> nics;
    for (const std::string& line : plain_lines(text)) {
        const std::vector<std::string> words = split_words(line);
        if (words.empty()) continue;
        const auto gigabits = words.size() < 4 ? std::nullopt : leading_number(words[2]);
        if (!gigabits || words[3] != "Gb/sec")
            throw InputError(place, "expected '<name> <link layer> <rate> Gb/sec', got " + in_quotes(line));
        nics.push_back({words[0], words[1], BytesPerSecond(*gigabits * 1e9 / 8.0)});
    }
    return nics;
}

/// Fills in what nvidia-smi does not show, as on many virtual machines.
void read_pcie(std::string_view text, const std::string& place, DetectedGpus& accelerators) {
    // Generations one to six by GT/s a lane (PCI-SIG).
    constexpr std::array rates{2.5, 5.0, 8.0, 16.0, 32.0, 64.0};
    for (const std::string& line : plain_lines(text)) {
        const std::vector<std::string> words = split_words(line);
        if (words.empty()) continue;
        const auto rate = words.size() < 3 ? std::nullopt : leading_number(words[1]);
        const auto lanes = words.size() < 3 ? std::nullopt : leading_number(words[2]);
        const auto known = std::find(rates.begin(), rates.end(), rate.value_or(0));
        if (known == rates.end() || !lanes || *lanes < 1 || *lanes > 64)
            throw InputError(place, "expected '<address> <GT/s> <lanes>', got " + in_quotes(line));
        for (DetectedGpu& gpu : accelerators.gpus) {
            // nvidia-smi writes the domain with eight digits and in capitals, the kernel with four and small ones.
            std::string address = gpu.bus_id.substr(gpu.bus_id.size() > 12 ? gpu.bus_id.size() - 12 : 0);
            std::transform(address.begin(), address.end(), address.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
            if (address != words[0] || (gpu.pcie_generation > 0 && gpu.pcie_lanes > 0)) continue;
            gpu.pcie_generation = static_cast<int>(known - rates.begin()) + 1;
            gpu.pcie_lanes = static_cast<int>(*lanes);
        }
    }
}

}  // namespace

DetectedCpu read_lscpu(std::string_view text, const std::string& place) {
    const Values values = read_values(text);
    DetectedCpu cpu;
    cpu.vendor = text_of(values, "Vendor ID");
    cpu.model = text_of(values, "Model name");
    cpu.flags = text_of(values, "Flags");
    cpu.threads_per_core = count_of(values, "Thread(s) per core", place);
    // ARM servers may show clusters instead of sockets.
    const bool clusters = values.count("Core(s) per socket") == 0 && values.count("Core(s) per cluster") != 0;
    cpu.cores_per_socket = count_of(values, clusters ? "Core(s) per cluster" : "Core(s) per socket", place);
    const std::string sockets = text_of(values, "Socket(s)");
    cpu.sockets = leading_number(sockets) || !clusters ? count_of(values, "Socket(s)", place) : 1;
    if (values.count("NUMA node(s)")) cpu.numa_nodes = count_of(values, "NUMA node(s)", place);
    if (const auto clock = leading_number(text_of(values, "CPU max MHz"))) cpu.highest_clock = PerSecond(*clock * 1e6);
    const std::string cache = text_of(values, "L3") + text_of(values, "L3 cache");
    cpu.last_cache = cache_size(cache);
    // Without "(n instances)" it is the size of one, of which a socket has at least one.
    if (cpu.last_cache && cache.find("instance") == cache.npos)
        cpu.last_cache = *cpu.last_cache * static_cast<double>(cpu.sockets);
    return cpu;
}

Machine read_machine(const ToolOutputs& outputs, const std::string& folder) {
    const auto place = [&](std::string_view file) { return folder + "/" + std::string(file); };
    const auto text = [&](std::string_view file) -> const std::string* {
        const auto found = outputs.find(std::string(file));
        return found == outputs.end() ? nullptr : &found->second;
    };
    const auto required = [&](std::string_view file, const char* what) -> const std::string& {
        if (const std::string* found = text(file)) return *found;
        throw InputError(place(file), std::string("missing; it holds ") + what);
    };
    Machine machine;
    machine.cpu = read_lscpu(required(lscpu_file, "what LC_ALL=C lscpu prints"), place(lscpu_file));
    machine.memory = read_memory_size(required(memory_file, "/proc/meminfo"), place(memory_file));
    if (const std::string* found = text(nic_file)) machine.nics = read_nics(*found, place(nic_file));
    if (const std::string* found = text(smi_file)) machine.accelerators = read_nvidia_smi(*found, place(smi_file));
    if (const std::string* found = text(pcie_file)) read_pcie(*found, place(pcie_file), machine.accelerators);
    const std::size_t gpus = machine.accelerators.gpus.size();
    if (gpus > 1) {
        machine.topology =
            read_topology(required(topology_file, "what nvidia-smi topo -m prints"), place(topology_file));
        if (machine.topology->gpu_to_gpu.size() != gpus)
            throw InputError(place(topology_file),
                             fmt::format("{} GPUs, but {} in {}", machine.topology->gpu_to_gpu.size(), gpus, smi_file));
    }
    return machine;
}

}  // namespace plimsoll
