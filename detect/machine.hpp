#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/units.hpp"

namespace plimsoll {

/// What the tools of a machine printed, by the name of the file that keeps it ("nvidia-smi.xml").
using ToolOutputs = std::map<std::string, std::string>;

/// The files of a saved machine.
inline constexpr std::string_view smi_file = "nvidia-smi.xml";  ///< nvidia-smi -q -x; absent: no GPU
inline constexpr std::string_view topology_file = "topo.txt";   ///< nvidia-smi topo -m
inline constexpr std::string_view lscpu_file = "lscpu.txt";     ///< LC_ALL=C lscpu
inline constexpr std::string_view memory_file = "meminfo.txt";  ///< /proc/meminfo
/// "0000:07:00.0 16.0 16" a line: address, GT/s and lanes that card and slot can, from /sys/bus/pci.
inline constexpr std::string_view pcie_file = "pcie.txt";
inline constexpr std::string_view nic_file = "nics.txt";  ///< "mlx5_0 InfiniBand 200 Gb/sec (4X HDR)" a line

/// One GPU as nvidia-smi shows it.
struct DetectedGpu {
    std::string product, bus_id;
    Bytes memory;  ///< that programs see
    std::optional<Watts> power_limit;
    std::optional<PerSecond> multiprocessor_clock;  ///< highest
    int pcie_generation = 0, pcie_lanes = 0;        ///< highest that card and slot can; 0: not shown
};
struct DetectedGpus {
    std::string driver;
    std::vector<DetectedGpu> gpus;
};
/// Throws InputError for a text that is not what `nvidia-smi -q -x` prints, or not all of it.
[[nodiscard]] DetectedGpus read_nvidia_smi(std::string_view text, const std::string& place);

/// The matrix of `nvidia-smi topo -m`.
struct DetectedTopology {
    std::vector<std::vector<std::string>> gpu_to_gpu;  ///< [GPU][GPU]: "X", "NV4", "PIX", "PXB", "PHB", "NODE", "SYS"
    std::vector<std::vector<std::string>> gpu_to_nic;  ///< [GPU][NIC]
    std::vector<std::optional<int>> numa;              ///< [GPU]

    /// NVLinks between two GPUs, 0 for none.
    [[nodiscard]] int nvlinks(std::size_t a, std::size_t b) const;
};
[[nodiscard]] DetectedTopology read_topology(std::string_view text, const std::string& place);

/// The processors as lscpu shows them.
struct DetectedCpu {
    std::string vendor, model, flags;
    int sockets = 1, cores_per_socket = 1, threads_per_core = 1, numa_nodes = 1;
    std::optional<PerSecond> highest_clock;
    std::optional<Bytes> last_cache;  ///< of all sockets
};
[[nodiscard]] DetectedCpu read_lscpu(std::string_view text, const std::string& place);

struct DetectedNic {
    std::string name, layer;  ///< layer: "InfiniBand" or "Ethernet"
    BytesPerSecond rate;
};

/// All that is known of a machine.
struct Machine {
    DetectedGpus accelerators;  ///< none on a host without GPUs
    std::optional<DetectedTopology> topology;
    DetectedCpu cpu;
    Bytes memory;
    std::vector<DetectedNic> nics;
};

/// Throws InputError where something is missing or does not fit together; `folder` says where the outputs come from.
[[nodiscard]] Machine read_machine(const ToolOutputs& outputs, const std::string& folder);

}  // namespace plimsoll
