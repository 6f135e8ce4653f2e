#include "detect/host_entries.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "detect/entry_text.hpp"
#include "detect/text.hpp"

namespace plimsoll {
namespace {

/// "Intel(R) Xeon(R) Platinum 8480+" and "AMD EPYC 7742 64-Core Processor" as people write them.
std::string short_model(const std::string& model) {
    std::string result = model.substr(0, model.find('@'));
    for (const std::string_view mark : {"(R)", "(TM)", "(r)", "(tm)"})
        for (std::size_t at = result.find(mark); at != result.npos; at = result.find(mark))
            result.erase(at, mark.size());
    std::string words;
    for (const std::string& word : split_words(result))
        if (word != "CPU" && word != "Processor" && !word.ends_with("-Core"))
            words += (words.empty() ? "" : " ") + word;
    return words;
}

/// The entry of this processor, or null. Such entries bear the amount of memory that they were written for.
const Gpu* known_processor(Catalog& catalog, const std::string& model) {
    const auto space = model.find(' ');
    for (const std::string& name : {model, space == model.npos ? model : model.substr(space + 1)})
        if (const auto found = catalog.gpus.candidates(name); !found.empty()) return found.front();
    return nullptr;
}

/// fp32 operations of a core in a cycle: two fused multiply-adds of 16, 8 or 4 values each.
double flop_a_cycle(const DetectedCpu& cpu) {
    const std::vector<std::string> flags = split_words(cpu.flags);
    const auto has = [&](std::string_view flag) { return std::find(flags.begin(), flags.end(), flag) != flags.end(); };
    return has("avx512f") ? 64 : has("avx2") ? 32 : 16;
}

struct Guess {
    double peak, bandwidth, power;  ///< of a socket: flop/s, bytes/s, watts
    double clock;
    std::string sources;
};

Guess guess_of(const DetectedCpu& cpu) {
    // A quarter below the highest clock under vector work; 2.5 GHz where none is shown (virtual machines).
    const double clock = cpu.highest_clock ? cpu.highest_clock->value() * 0.75 : 2.5e9;
    // Eight channels of DDR4-3200 in servers, two of DDR5-4800 in desktops.
    const bool server = cpu.cores_per_socket >= 24;
    return {cpu.cores_per_socket * clock * flop_a_cycle(cpu), server ? 204.8e9 : 76.8e9, server ? 250.0 : 100.0, clock,
            "estimated: cores x clock x two vector multiply-adds a cycle, the usual memory channels and power of a "
            "processor of this size; plimsoll calibrate run measures them"};
}

void write_processor(const Machine& machine, const Gpu* known, const std::string& origin, Description& result) {
    const DetectedCpu& cpu = machine.cpu;
    EntryText entry("gpu", result.gpu);
    const Guess guess = guess_of(cpu);
    const double memory = machine.memory.value() / cpu.sockets;
    const double peak = known ? known->peak_of(Dtype::fp32).value.value() : guess.peak;
    entry.add("vendor", json_text(cpu.vendor.empty() ? "unknown" : cpu.vendor));
    entry.add("architecture", json_text(cpu.model.empty() ? "unknown" : cpu.model));
    entry.add("form_factor", json_text("socket"));
    entry.add("memory", fmt::format(R"({{"capacity": "{0:.0f} B", "usable": "{0:.0f} B", "bandwidth": "{1:.5g} GB/s", )"
                                    R"("l2": "{2:.0f} B"}})",
                                    memory, (known ? known->memory_bandwidth.value.value() : guess.bandwidth) / 1e9,
                                    std::min(1e10, cpu.last_cache.value_or(Bytes(0)).value() / cpu.sockets)));
    entry.add("multiprocessors", fmt::format("{}", cpu.cores_per_socket));
    entry.add("multiprocessor_clock",
              fmt::format("\"{:.5g} MHz\"", (known ? known->multiprocessor_clock.value() : guess.clock) / 1e6));
    entry.add("power", fmt::format("\"{:.4g} W\"", known ? known->power.value.value() : guess.power));
    entry.add("peak", fmt::format(R"({{"fp32": "{:.5g} GFLOP/s"}})", peak / 1e9));
    entry.add("efficiency_class", json_text("cpu"));
    const std::string rates = known ? "estimated: as in the entry " + known->name : guess.sources;
    entry.source("*", "measured here: " + origin);
    for (const char* field : {"memory.bandwidth", "multiprocessor_clock", "power", "peak"}) entry.source(field, rates);
    result.files["hardware_db/gpus/" + result.gpu + ".json"] = entry.text();
}

}  // namespace

std::string socket_link(const DetectedCpu& cpu) {
    if (cpu.vendor != "GenuineIntel") return "xgmi-epyc";
    if (cpu.model.find(" E5-") != std::string::npos || cpu.model.find(" E7-") != std::string::npos)
        return "qpi-broadwell";
    // The second digit of a number such as 8480 is the generation.
    for (const std::string& word : split_words(cpu.model)) {
        const auto digits = std::find_if_not(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c); });
        if (digits - word.begin() != 4) continue;
        if (word[1] <= '3') return "upi-skylake";
        return word[1] == '4' ? "upi-sapphire-rapids" : "upi-emerald-rapids";
    }
    return "upi-sapphire-rapids";
}

void describe_host(const Machine& machine, Catalog& catalog, const std::string& origin, Description& result) {
    const DetectedCpu& cpu = machine.cpu;
    const std::string model = short_model(cpu.model);
    result.gpu = entry_name(model.empty() ? "processor" : model) + "-detected-socket";
    result.gpus = cpu.sockets;
    if (result.node.empty()) result.node = fmt::format("{}-{}", result.gpu, result.gpus);
    write_processor(machine, known_processor(catalog, model), origin, result);

    EntryText entry("node", result.node);
    entry.add("gpu", json_text(result.gpu));
    entry.add("gpus", fmt::format("{}", result.gpus));
    entry.add("cpu", json_text(fmt::format("{}x {}", cpu.sockets, cpu.model)));
    std::vector<std::vector<int>> sockets;
    for (int socket = 0; socket < cpu.sockets; ++socket) sockets.push_back({socket});
    entry.add("sockets", json_lists(sockets));
    entry.source("*", "measured here: " + origin);
    if (cpu.sockets > 1) {
        entry.add("socket_link", json_text(socket_link(cpu)));
        entry.add("pcie", R"({"link": "pcie-5-x16"})");
        entry.source("socket_link", "estimated: by the generation of " + cpu.model);
        entry.source("pcie", "estimated: sockets talk over their own link, which is no faster");
    }
    entry.add("nvlink", R"({"kind": "none"})");
    entry.add("host", R"({"power": "80 W +- 50 W", "speed": "1 +- 0.3"})");
    entry.source("host", "estimated: memory, storage and fans; the engine shares the cores with the model");
    result.files["hardware_db/nodes/" + result.node + ".json"] = entry.text();
    result.notes.emplace_back(
        "No GPU was found: the processors stand as accelerators, their rates are estimates. plimsoll calibrate run "
        "measures them.");
}

}  // namespace plimsoll
