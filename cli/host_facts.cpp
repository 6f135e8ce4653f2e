#include "cli/host_facts.hpp"

#include <chrono>
#include <fstream>
#include <thread>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <plimsoll_config.hpp>
#include <sys/utsname.h>

#include "calibrate/host/operand_ring.hpp"

namespace plimsoll {
namespace {

/// Without what a JSON text would have to escape, and without blanks at the ends.
std::string plain(const std::string& text) {
    std::string result;
    for (const char c : text)
        if (static_cast<unsigned char>(c) >= 0x20U && c != '"' && c != '\\') result += c;
    const std::size_t first = result.find_first_not_of(' '), last = result.find_last_not_of(' ');
    return first == result.npos ? "" : result.substr(first, last - first + 1);
}

std::string first_line(const std::string& path) {
    std::ifstream stream(path);
    std::string line;
    std::getline(stream, line);
    return plain(line);
}

/// The value of the first line "key : value" of a file of /proc.
std::string value_in(const std::string& path, const std::string& key) {
    std::ifstream stream(path);
    for (std::string line; std::getline(stream, line);)
        if (const std::size_t colon = line.find(':');
            colon != line.npos && plain(line.substr(0, colon)).starts_with(key))
            return plain(line.substr(colon + 1));
    return "";
}

bool is_virtual() {
    return (value_in("/proc/cpuinfo", "flags") + " ").find(" hypervisor ") != std::string::npos;
}

/// "cpu-intel-xeon-gold-6230-80": the words of the model that tell it from others, and the threads.
std::string name_of(const std::string& model, int threads) {
    std::string name = "cpu";
    std::string word;
    for (const char c : model.substr(0, model.find('@')) + " ") {
        const char lower = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '.') {
            word += lower;
            continue;
        }
        if (!word.empty() && word != "r" && word != "tm" && word != "cpu" && word != "processor") name += "-" + word;
        word.clear();
    }
    return fmt::format("{}-{}", name, threads);
}

void add(DeviceFacts& facts, const std::string& name, const std::string& value) {
    if (!value.empty()) facts.emplace_back(name, value);
}

std::string system_name() {
    utsname name{};
    return ::uname(&name) == 0 ? plain(fmt::format("{} {} {}", name.sysname, name.release, name.machine)) : "";
}

}  // namespace

std::string date_today() {
    return fmt::format("{:%Y-%m-%d}",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
}

ProcessorFacts processor_facts(int threads, const InstructionSet& instructions) {
    ProcessorFacts facts;
    const std::string path = "/proc/cpuinfo";
    facts.vendor = value_in(path, "vendor_id");
    if (facts.vendor.empty()) facts.vendor = "unknown";
    facts.model = value_in(path, "model name");
    if (facts.model.empty()) facts.model = "unknown";
    facts.threads = threads;
    facts.virtual_machine = is_virtual();
    facts.name = name_of(facts.model, threads);
    facts.measured = fmt::format("plimsoll {} with {} for {}, {}", PLIMSOLL_VERSION, instructions.kernels->library,
                                 instructions.name, date_today());
    facts.memory = Bytes(static_cast<double>(memory_bytes()));
    const std::string available = value_in("/proc/meminfo", "MemAvailable");
    facts.usable_memory = available.empty() ? facts.memory * 0.9 : Bytes(std::stod(available) * 1024.0);
    facts.last_cache = Bytes(static_cast<double>(last_cache_bytes()));
    return facts;
}

std::string text_of(const InstructionSet& instructions) {
    return instructions.features.empty() ? std::string(instructions.name)
                                         : fmt::format("{} ({})", instructions.name, instructions.features);
}

DeviceFacts host_facts(const InstructionSet& instructions) {
    DeviceFacts facts;
    add(facts, "date", date_today());
    add(facts, "program", "plimsoll " PLIMSOLL_VERSION);
    add(facts, "system", system_name());
    add(facts, "virtual_machine", is_virtual() ? "yes" : "no");
    add(facts, "library", instructions.kernels->library);
    add(facts, "instruction_sets", text_of(instructions));
    add(facts, "compiler", plain(__VERSION__));
    add(facts, "hardware_threads", fmt::format("{}", std::thread::hardware_concurrency()));
    add(facts, "clock_driver", first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver"));
    add(facts, "clock_governor", first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    add(facts, "clock_limit_khz", first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq"));
    add(facts, "power_limit_uw", first_line("/sys/class/powercap/intel-rapl:0/constraint_0_power_limit_uw"));
    add(facts, "ecc", first_line("/sys/devices/system/edac/mc/mc0/dimm0/dimm_edac_mode"));
    add(facts, "load_average", first_line("/proc/loadavg"));
    return facts;
}

}  // namespace plimsoll
